// node:path as on POSIX systems, where a backslash is a character like any other. The current
// folder is the root.

export interface ParsedPath {
  readonly root: string;
  readonly dir: string;
  readonly base: string;
  readonly ext: string;
  readonly name: string;
}

export const sep = "/";
export const delimiter = ":";

export function normalize(path: string): string {
  check("path", path);
  if (path === "") return ".";
  const short = shorten(path, !isAbsolute(path));
  const end = path.endsWith("/") ? "/" : "";
  if (isAbsolute(path)) return short === "" ? "/" : `/${short}${end}`;
  return (short === "" ? "." : short) + end;
}

export function join(...paths: readonly string[]): string {
  for (const path of paths) check("path", path);
  return normalize(paths.filter((path) => path !== "").join("/"));
}

export function resolve(...paths: readonly string[]): string {
  let resolved = "";
  for (const path of paths.toReversed()) {
    check("path", path);
    if (isAbsolute(resolved)) continue;
    if (path !== "") resolved = `${path}/${resolved}`;
  }
  return `/${shorten(resolved, false)}`;
}

export function relative(from: string, to: string): string {
  check("from", from);
  check("to", to);
  const source = resolve(from).split("/").filter(Boolean);
  const target = resolve(to).split("/").filter(Boolean);
  let same = 0;
  while (same < source.length && source[same] === target[same]) same += 1;
  return [...source.slice(same).fill(".."), ...target.slice(same)].join("/");
}

export function dirname(path: string): string {
  check("path", path);
  const slash = withoutEnd(path).lastIndexOf("/");
  if (slash <= 0) return isAbsolute(path) ? "/" : ".";
  return slash === 1 && isAbsolute(path) ? "//" : path.slice(0, slash);
}

export function basename(path: string, suffix?: string): string {
  check("path", path);
  if (suffix !== undefined) check("suffix", suffix);
  if (path === suffix) return "";
  const short = withoutEnd(path);
  const base = short.slice(short.lastIndexOf("/") + 1);
  if (suffix === undefined || suffix === base || !base.endsWith(suffix)) return base;
  return base.slice(0, base.length - suffix.length);
}

export function extname(path: string): string {
  const base = basename(path);
  const dot = base.lastIndexOf(".");
  return dot <= 0 || base === ".." ? "" : base.slice(dot);
}

export function parse(path: string): ParsedPath {
  const base = basename(path);
  const ext = extname(path);
  const root = isAbsolute(path) ? "/" : "";
  const slash = withoutEnd(path).lastIndexOf("/");
  const dir = slash <= 0 ? root : path.slice(0, slash);
  return { root, dir, base, ext, name: base.slice(0, base.length - ext.length) };
}

export function format(parts: Partial<ParsedPath>): string {
  const { root = "", dir = "", base = "", ext = "", name = "" } = parts;
  const dotted = ext === "" || ext.startsWith(".") ? ext : `.${ext}`;
  const file = base === "" ? `${name}${dotted}` : base;
  if (dir === "") return `${root}${file}`;
  return dir === root ? `${dir}${file}` : `${dir}/${file}`;
}

export function isAbsolute(path: string): boolean {
  check("path", path);
  return path.startsWith("/");
}

export function toNamespacedPath(path: string): string {
  return path;
}

interface Path {
  readonly sep: string;
  readonly delimiter: string;
  readonly normalize: typeof normalize;
  readonly join: typeof join;
  readonly resolve: typeof resolve;
  readonly relative: typeof relative;
  readonly dirname: typeof dirname;
  readonly basename: typeof basename;
  readonly extname: typeof extname;
  readonly parse: typeof parse;
  readonly format: typeof format;
  readonly isAbsolute: typeof isAbsolute;
  readonly toNamespacedPath: typeof toNamespacedPath;
  readonly posix: Path;
  readonly win32: Path;
}

export const posix: Path = {
  sep,
  delimiter,
  normalize,
  join,
  resolve,
  relative,
  dirname,
  basename,
  extname,
  parse,
  format,
  isAbsolute,
  toNamespacedPath,
  get posix() {
    return posix;
  },
  get win32() {
    return posix;
  },
};
/** There are no such systems here: packages look, and take what they would anyway. */
export const win32: Path = { ...posix };

/** Without empty parts, `.`, and `..` where something stands before it. */
function shorten(path: string, mayLeave: boolean): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (mayLeave) parts.push("..");
  }
  return parts.join("/");
}

function withoutEnd(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === "/") end -= 1;
  return path.slice(0, end);
}

function check(name: string, value: unknown): void {
  if (typeof value === "string") return;
  const message = `The "${name}" argument must be of type string. Received ${typeof value}`;
  throw Object.assign(new TypeError(message), { code: "ERR_INVALID_ARG_TYPE" });
}
