import { readFileSync, writeFileSync } from 'node:fs';

/** Replaces what a document has between `<!-- name -->` and `<!-- end of name -->`. */
export function replaceBetween(path: string, name: string, text: string): void {
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- end of ${name} -->`];
  const document = readFileSync(path, 'utf8');
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path}: expected ${begin.trim()} and ${end}`);
  writeFileSync(path, `${document.slice(0, from + begin.length)}\n${text}\n\n${document.slice(to)}`);
}
