import { readFileSync, writeFileSync } from 'node:fs';

/** Replaces what a document has between `<!-- name -->` and `<!-- end of name -->` by what `change` makes of it. */
export function changeBetween(path: string, name: string, change: (text: string) => string): void {
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- end of ${name} -->`];
  const document = readFileSync(path, 'utf8');
  const [from, to] = [document.indexOf(begin) + begin.length, document.indexOf(end)];
  if (from < begin.length || to < from) throw new Error(`${path}: expected ${begin.trim()} and ${end}`);
  writeFileSync(
    path,
    `${document.slice(0, from)}\n${change(document.slice(from, to)).trim()}\n\n${document.slice(to)}`,
  );
}

/** The rows of a table in Markdown, by their first cell. */
export function rowsOf(table: string): Map<string, string[]> {
  const lines = table.trim().split('\n').slice(2);
  return new Map(lines.map((line) => line.slice(2, -2).split(' | ')).map((cells) => [cells[0], cells]));
}
