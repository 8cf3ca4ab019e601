/** Writes a line to stdout. */
export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** Writes a value to stdout as indented JSON. */
export function printJson(value: unknown): void {
  printLine(JSON.stringify(value, null, 2));
}

/** Nanoseconds as microseconds, `1.3`; `-` for none. */
export function microseconds(ns: number | null): string {
  return ns === null ? '-' : (ns / 1_000).toFixed(1);
}

/** A column whose cells are set flush right. */
export interface RightColumn {
  right: string;
}

/** Columns of numbers. */
export function right(...headings: readonly string[]): RightColumn[] {
  return headings.map((heading) => ({ right: heading }));
}

/** Columns padded to their widest cell. */
export function formatTable(
  columns: readonly (string | RightColumn)[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const headings = columns.map((column) => (typeof column === 'string' ? column : column.right));
  const lines = [headings, ...rows.map((row) => row.map(String))];
  const widths = headings.map((_, i) => Math.max(...lines.map((cells) => cells[i]!.length)));
  const pad = (cell: string, i: number) =>
    typeof columns[i] === 'string' ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!);
  return lines.map((cells) => cells.map(pad).join('  ').trimEnd()).join('\n');
}
