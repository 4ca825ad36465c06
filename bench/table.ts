// Plain tables for a terminal: first column to the left, numbers to the right.

export type Row = readonly string[];

export function printTable(title: string, head: Row, rows: readonly Row[]): void {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: Row): string =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd();
  console.log(`\n${title}`);
  console.log(line(head));
  console.log(widths.map((width) => "─".repeat(width)).join("  "));
  for (const row of rows) console.log(line(row));
}

export function rounded(value: number, digits = 0): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "–";
}

/** 12345 → "12 345" */
export function grouped(value: number): string {
  return rounded(value).replaceAll(/\B(?=(\d{3})+$)/g, " ");
}

export function megabytes(bytes: number): string {
  return rounded(bytes / 1024 ** 2);
}
