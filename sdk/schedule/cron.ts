// Cron expressions as Workers take them: five fields in UTC, and of Quartz L, W and #. Days of the week are 1 (Sunday)
// to 7 (Saturday) or names. Where both days of the month and of the week are restricted, either is enough.

export interface Cron {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly days: Days;
  readonly weekdays: Weekdays;
}

interface Days {
  readonly any: boolean;
  readonly on: ReadonlySet<number>;
  /** L is 0, L-3 is 3: days before the month's last. */
  readonly fromEnd: readonly number[];
  /** 15W: the working day nearest to it. */
  readonly nearest: readonly number[];
  /** LW. */
  readonly lastWorking: boolean;
}

interface Weekdays {
  readonly any: boolean;
  readonly on: ReadonlySet<number>;
  /** 6L: the last Friday of the month. */
  readonly last: readonly number[];
  /** 6#2: the second Friday. */
  readonly nth: readonly (readonly [weekday: number, which: number])[];
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MONTH_NAMES = [
  "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
]; // prettier-ignore
const DAY_NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MINUTE: Field = { name: "minute", min: 0, max: 59 };
const HOUR: Field = { name: "hour", min: 0, max: 23 };
const DAY: Field = { name: "day of the month", min: 1, max: 31 };
const MONTH: Field = { name: "month", min: 1, max: 12, names: MONTH_NAMES };
const WEEKDAY: Field = { name: "day of the week", min: 1, max: 7, names: DAY_NAMES };

/** Each is matched against the clock once a minute. */
export const CRONS_PER_ENDPOINT_MAX = 16;
/** Far longer than any that a person writes. */
const CRON_CHARS_MAX = 200;
export const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** 29 February comes again after eight years at most. */
const DAYS_AHEAD_MAX: number = 9 * 366;
const SATURDAY = 7;
const SUNDAY = 1;

/** The problem as a text when it is none. */
export function parseCron(text: string): Cron | string {
  const parts = text.trim().split(/\s+/);
  if (text.length > CRON_CHARS_MAX) return `it has more than ${CRON_CHARS_MAX} characters`;
  if (parts.length !== 5) return "it has five fields: minute, hour, day, month, day of the week";
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = parts;
  try {
    const cron: Cron = {
      minutes: readSet(minute, MINUTE),
      hours: readSet(hour, HOUR),
      months: readSet(month, MONTH),
      days: readDays(day),
      weekdays: readWeekdays(weekday),
    };
    return nextRun(cron, 0) === null ? "there is no such day" : cron;
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
}

/** Ends the reading; its text is the problem. */
class Problem extends RangeError {}

/** Whether it is due in the minute that begins at `ms`. */
export function isDue(cron: Cron, ms: number): boolean {
  const at = new Date(ms);
  return (
    cron.minutes.has(at.getUTCMinutes()) && cron.hours.has(at.getUTCHours()) && isDay(cron, at)
  );
}

/** The first minute after `ms` at which it is due; null when there is none. */
export function nextRun(cron: Cron, ms: number): number | null {
  const first = (Math.floor(ms / MINUTE_MS) + 1) * MINUTE_MS;
  let day = first - (first % DAY_MS);
  for (let ahead = 0; ahead < DAYS_AHEAD_MAX; ahead++, day += DAY_MS) {
    if (!isDay(cron, new Date(day))) continue;
    for (let at = Math.max(day, first); at < day + DAY_MS; at += MINUTE_MS) {
      if (isDue(cron, at)) return at;
    }
  }
  return null;
}

function isDay({ months, days, weekdays }: Cron, at: Date): boolean {
  if (!months.has(at.getUTCMonth() + 1)) return false;
  if (days.any) return weekdays.any || isWeekday(weekdays, at);
  if (weekdays.any) return isMonthDay(days, at);
  return isMonthDay(days, at) || isWeekday(weekdays, at);
}

function isMonthDay({ on, fromEnd, nearest, lastWorking }: Days, at: Date): boolean {
  const day = at.getUTCDate();
  const length = lengthOfMonth(at);
  if (on.has(day) || fromEnd.includes(length - day)) return true;
  return (
    nearest.some((wanted) => wanted <= length && workingDay(wanted, at) === day) ||
    (lastWorking && workingDay(length, at) === day)
  );
}

function isWeekday({ on, last, nth }: Weekdays, at: Date): boolean {
  const day = at.getUTCDate();
  const weekday = at.getUTCDay() + 1;
  if (on.has(weekday)) return true;
  if (last.includes(weekday) && day + 7 > lengthOfMonth(at)) return true;
  const which = Math.ceil(day / 7);
  return nth.some(([wanted, place]) => wanted === weekday && place === which);
}

/** Of the month of `at`, the day from Monday to Friday that is nearest to `day`. */
function workingDay(day: number, at: Date): number {
  const weekday = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), day)).getUTCDay() + 1;
  if (weekday === SATURDAY) return day === 1 ? 3 : day - 1;
  if (weekday === SUNDAY) return day === lengthOfMonth(at) ? day - 2 : day + 1;
  return day;
}

function lengthOfMonth(at: Date): number {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 0)).getUTCDate();
}

function readDays(text: string): Days {
  const fromEnd: number[] = [];
  const nearest: number[] = [];
  let lastWorking = false;
  const rest = text.split(",").filter((part) => {
    const upper = part.toUpperCase();
    const [, before] = /^L(?:-(\d{1,2}))?$/.exec(upper) ?? [];
    const [, working] = /^(\d{1,2})W$/.exec(upper) ?? [];
    if (/^L(?:-\d|$)/.test(upper)) {
      const days = Number(before ?? 0);
      if (days > 30) throw new Problem(`L-${days} is before the month`);
      fromEnd.push(days);
    } else if (upper === "LW") lastWorking = true;
    else if (working !== undefined) nearest.push(readNumber(working, DAY));
    else return true;
    return false;
  });
  const any = text === "*";
  return { any, on: readSet(rest.join(","), DAY, true), fromEnd, nearest, lastWorking };
}

function readWeekdays(text: string): Weekdays {
  const last: number[] = [];
  const nth: (readonly [number, number])[] = [];
  const rest = text.split(",").map((part) => {
    const upper = part.toUpperCase();
    if (upper === "L") return `${SATURDAY}`;
    const [, final] = /^(\w+)L$/.exec(upper) ?? [];
    const [, day, which] = /^(\w+)#([1-5])$/.exec(upper) ?? [];
    if (final !== undefined) last.push(readNumber(final, WEEKDAY));
    else if (day !== undefined) nth.push([readNumber(day, WEEKDAY), Number(which)]);
    else return part;
    return "";
  });
  const on = readSet(rest.filter((part) => part !== "").join(","), WEEKDAY, true);
  return { any: text === "*", on, last, nth };
}

/** A list of `*`, `a`, `a-b`, each with `/step`. `mayBeEmpty`: what was in it has been read already. */
function readSet(text: string, field: Field, mayBeEmpty = false): ReadonlySet<number> {
  const found = new Set<number>();
  if (text === "" && mayBeEmpty) return found;
  for (const part of text.split(",")) {
    const [range = "", step, ...more] = part.split("/");
    const every = step === undefined ? 1 : /^\d{1,2}$/.test(step) ? Number(step) : 0;
    if (every === 0 || more.length > 0) throw new Problem(`"${part}" is no ${field.name}`);
    const [from, to] = readRange(range, field, step !== undefined);
    for (let value = from; value <= to; value += every) found.add(value);
  }
  return found;
}

function readRange(text: string, field: Field, isStepped: boolean): readonly [number, number] {
  if (text === "*") return [field.min, field.max];
  const [first = "", last, ...more] = text.split("-");
  if (more.length > 0) throw new Problem(`"${text}" is no ${field.name}`);
  const from = readNumber(first, field);
  if (last === undefined) return [from, isStepped ? field.max : from];
  const to = readNumber(last, field);
  if (to >= from) return [from, to];
  throw new Problem(`${text} runs backwards; write two ranges`);
}

function readNumber(text: string, { name, min, max, names = [] }: Field): number {
  const named = names.indexOf(text.toUpperCase());
  const value = named >= 0 ? named + min : /^\d{1,2}$/.test(text) ? Number(text) : -1;
  if (value >= min && value <= max) return value;
  const words = names.length === 0 ? "" : `, or ${names[0] ?? ""} to ${names.at(-1) ?? ""}`;
  throw new Problem(`"${text}" is no ${name}: ${min} to ${max}${words}`);
}
