import { expect, test } from "vitest";
import { isDue, nextRun, parseCron, type Cron } from "./cron.ts";

function cronOf(text: string): Cron {
  const cron = parseCron(text);
  if (typeof cron === "string") throw new Error(cron);
  return cron;
}

/** The next times as "MM-DD HH:MM", from a moment of 2026 (a Thursday is 1 January). */
function runs(text: string, from: string, count: number): string[] {
  const cron = cronOf(text);
  const found: string[] = [];
  let at = Date.parse(from);
  for (let n = 0; n < count; n++) {
    at = nextRun(cron, at) ?? Number.NaN;
    found.push(new Date(at).toISOString().slice(5, 16).replace("T", " "));
  }
  return found;
}

test.each<[text: string, expected: string[]]>([
  ["* * * * *", ["01-01 00:01", "01-01 00:02", "01-01 00:03"]],
  ["*/15 * * * *", ["01-01 00:15", "01-01 00:30", "01-01 00:45"]],
  ["7/20 6 * * *", ["01-01 06:07", "01-01 06:27", "01-01 06:47"]],
  ["0 9-17/4 * * *", ["01-01 09:00", "01-01 13:00", "01-01 17:00"]],
  ["30 4 1,15 * *", ["01-01 04:30", "01-15 04:30", "02-01 04:30"]],
  ["0 0 1 feb,APR *", ["02-01 00:00", "04-01 00:00", "02-01 00:00"]],
  ["0 0 * * 1", ["01-04 00:00", "01-11 00:00", "01-18 00:00"]],
  ["0 0 * * MON-FRI", ["01-02 00:00", "01-05 00:00", "01-06 00:00"]],
  ["0 0 * * L", ["01-03 00:00", "01-10 00:00", "01-17 00:00"]],
  ["0 0 * * friL", ["01-30 00:00", "02-27 00:00", "03-27 00:00"]],
  ["0 0 * * 2#1", ["01-05 00:00", "02-02 00:00", "03-02 00:00"]],
  ["0 0 * * MON#5", ["03-30 00:00", "06-29 00:00", "08-31 00:00"]],
  ["0 0 L * *", ["01-31 00:00", "02-28 00:00", "03-31 00:00"]],
  ["0 0 L-2 * *", ["01-29 00:00", "02-26 00:00", "03-29 00:00"]],
  ["0 0 LW * *", ["01-30 00:00", "02-27 00:00", "03-31 00:00"]],
  // Saturday 3 January goes back, Sunday 1 February on, as does Sunday 1 March.
  ["0 0 3W * *", ["01-02 00:00", "02-03 00:00", "03-03 00:00"]],
  ["0 0 1W * *", ["02-02 00:00", "03-02 00:00", "04-01 00:00"]],
  // Sunday 31 May goes back within its month; February and April have none.
  ["0 0 31W * *", ["01-30 00:00", "03-31 00:00", "05-29 00:00"]],
  // Either day is enough where both are restricted.
  ["0 0 13 * FRI", ["01-02 00:00", "01-09 00:00", "01-13 00:00"]],
  ["0 0 29 2 *", ["02-29 00:00", "02-29 00:00", "02-29 00:00"]],
])("%s is due when it should be", (text, expected) => {
  expect(runs(text, "2026-01-01T00:00:30Z", 3)).toEqual(expected);
});

test("what is due next is what is due, minute by minute", () => {
  for (const text of ["*/7 3,4 * * *", "5 0 L * TUE", "59 23 31 12 *", "0 12 15W 6-8 *"]) {
    const cron = cronOf(text);
    const from = Date.parse("2026-05-30T23:59:00Z");
    const end = from + 45 * 86_400_000;
    const found: number[] = [];
    for (let at = from + 60_000; at <= end; at += 60_000) if (isDue(cron, at)) found.push(at);
    let next = nextRun(cron, from);
    for (const at of found) {
      expect(next).toBe(at);
      next = nextRun(cron, at);
    }
    expect(next === null || next > end).toBe(true);
  }
});

test.each([
  ["", "five fields"],
  ["* * * *", "five fields"],
  ["* * * * * *", "five fields"],
  ["60 * * * *", '"60" is no minute: 0 to 59'],
  ["* 24 * * *", "no hour"],
  ["* * 0 * *", "no day of the month"],
  ["* * 32 * *", "no day of the month"],
  ["* * * 13 *", "no month: 1 to 12, or JAN to DEC"],
  ["* * * * 0", "no day of the week: 1 to 7, or SUN to SAT"],
  ["* * * * 8", "no day of the week"],
  ["* * * * MON#6", "no day of the week"],
  ["* * L-31 * *", "before the month"],
  ["* * 0W * *", "no day of the month"],
  ["*/0 * * * *", "no minute"],
  ["*/5/5 * * * *", "no minute"],
  ["1-2-3 * * * *", "no minute"],
  ["30-10 * * * *", "backwards"],
  [", * * * *", "no minute"],
  ["-1 * * * *", "no minute"],
  ["1.5 * * * *", "no minute"],
  ["@daily", "five fields"],
  ["0 0 30 2 *", "no such day"],
  [`0 0 * * ${"1,".repeat(100)}1`, "200 characters"],
])("%s is refused: %s", (text, problem) => {
  expect(parseCron(text)).toContain(problem);
});
