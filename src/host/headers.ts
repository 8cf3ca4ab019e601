import { rangesEqual, utf8 } from '../base/bytes.js';
import { NO_BYTES } from '../message/message.js';

const CONTROL_CHARACTERS = /[\x00-\x1f\x7f]+/g;
const VERSION = utf8('NATS/1.0');
const VERSION_LINE = utf8('NATS/1.0\r\n');
const LINE_END = utf8('\r\n');
const BLOCK_END = utf8('\r\n\r\n');

/** The text without what could end a line, or a terminal's patience; at most `max` characters. */
export function singleLine(text: string, max: number): string {
  const cut = text.length > max ? `${text.slice(0, max)}…` : text;
  return cut.replace(CONTROL_CHARACTERS, ' ');
}

/** Makes a header block of name and value pairs, and of whole lines that follow them. */
export function headerBlock(pairs: readonly (readonly [string, string])[], lines: Uint8Array = NO_BYTES): Uint8Array {
  const head = pairs.map(([name, value]) => `${name}: ${value.replace(CONTROL_CHARACTERS, ' ')}\r\n`).join('');
  return Buffer.concat([VERSION_LINE, utf8(head), lines, LINE_END]);
}

/** The lines of a raw block between its version line and its blank line, each with its line end. */
export function headerLines(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  const first = block.indexOf('\r\n');
  if (first < 0) return NO_BYTES;
  const lines = block.subarray(first + 2, block.length);
  if (lines.length <= 2 && lines.toString('latin1').trim() === '') return NO_BYTES;
  if (endsWith(lines, BLOCK_END)) return lines.subarray(0, -2);
  return endsWith(lines, LINE_END) ? lines : Buffer.concat([lines, LINE_END]);
}

/** Whether `bytes[start, end)` is a whole header block. */
export function isHeaderBlock(bytes: Uint8Array, start: number, end: number): boolean {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  if (block.length < VERSION.length || !rangesEqual(block, 0, VERSION, 0, VERSION.length)) return false;
  return block.indexOf('\r\n\r\n') === block.length - BLOCK_END.length;
}

function endsWith(bytes: Uint8Array, ending: Uint8Array): boolean {
  return bytes.length >= ending.length && rangesEqual(bytes, bytes.length - ending.length, ending, 0, ending.length);
}
