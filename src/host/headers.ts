import { textOf, utf8 } from '../base/bytes.js';

/** Makes a header block of name and value pairs; values lose line ends. */
export function headerBlock(pairs: readonly (readonly [string, string])[], before = ''): Uint8Array {
  const lines = pairs.map(([name, value]) => `${name}: ${value.replace(/[\r\n]+/g, ' ')}\r\n`);
  return utf8(`NATS/1.0\r\n${before}${lines.join('')}\r\n`);
}

/** The lines of a raw block between its version line and its blank line, each with its line end. */
export function headerLines(bytes: Uint8Array, start: number, end: number): string {
  if (end <= start) return '';
  const text = textOf(bytes, start, end);
  const first = text.indexOf('\r\n');
  return first < 0 ? '' : text.slice(first + 2).replace(/\r\n$/, '');
}

/** Whether `bytes[start, end)` is a whole header block. */
export function isHeaderBlock(bytes: Uint8Array, start: number, end: number): boolean {
  const text = textOf(bytes, start, end);
  return text.startsWith('NATS/1.0') && text.endsWith('\r\n\r\n') && text.indexOf('\r\n\r\n') === text.length - 4;
}
