export function inspectError(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return "unprintable";
  }
}
