// Texts in JSON: their escapes, their comparison and their writing. Text is UTF-8; half a surrogate pair, which JSON can
// spell and UTF-8 cannot, becomes the three bytes that UTF-8's pattern gives it.
import { Buffer } from './memory';
import { hexAt } from './lexer';

/** For texts without their escapes. */
const PLAIN: Buffer = new Buffer();

/** Whether `bytes` bytes are the same. May read 15 bytes behind either. */
// @ts-ignore: decorator
@inline
export function sameBytes(one: usize, other: usize, bytes: usize): bool {
  while (bytes > 16) {
    if (v128.any_true(v128.xor(v128.load(one), v128.load(other)))) return false;
    one += 16;
    other += 16;
    bytes -= 16;
  }
  const mask = (1 << <u32>bytes) - 1;
  return (i8x16.bitmask(i8x16.eq(v128.load(one), v128.load(other))) & mask) == mask;
}

/** Compares the inside of a JSON string that has escapes with a plain text. */
export function sameEscaped(start: usize, end: usize, text: usize, bytes: usize): bool {
  return unescape(start, end) == bytes && sameBytes(PLAIN.start, text, bytes);
}

/** The inside of a JSON string as a string. */
export function decode(start: usize, end: usize, escaped: bool): string {
  if (!escaped) return String.UTF8.decodeUnsafe(start, end - start);
  const bytes = unescape(start, end);
  return String.UTF8.decodeUnsafe(PLAIN.start, bytes);
}

/** Where `unescape` left its result. */
// @ts-ignore: decorator
@inline
export function plainStart(): usize {
  return PLAIN.start;
}

/** Resolves the escapes of a valid JSON string into `plainStart()`, and answers the number of bytes. */
export function unescape(start: usize, end: usize): usize {
  PLAIN.length = 0;
  // An escape is never shorter than what it stands for.
  let to = PLAIN.room(end - start);
  for (let at = start; at < end; ) {
    const byte = <u32>load<u8>(at);
    if (byte != 0x5c) {
      store<u8>(to++, byte);
      at++;
    } else if (load<u8>(at + 1) != 0x75) {
      store<u8>(to++, simpleEscape(load<u8>(at + 1)));
      at += 2;
    } else {
      let code = <u32>hexAt(at + 2);
      at += 6;
      if ((code & 0xfc00) == 0xd800 && at < end && load<u16>(at) == 0x755c) {
        const low = <u32>hexAt(at + 2);
        if ((low & 0xfc00) == 0xdc00) {
          code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
          at += 6;
        }
      }
      to = writeUtf8(to, code);
    }
  }
  return to - PLAIN.start;
}

function simpleEscape(letter: u32): u32 {
  switch (letter) {
    case 0x62:
      return 8;
    case 0x66:
      return 12;
    case 0x6e:
      return 10;
    case 0x72:
      return 13;
    case 0x74:
      return 9;
    default:
      return letter;
  }
}

function writeUtf8(to: usize, code: u32): usize {
  if (code < 0x80) {
    store<u8>(to, code);
    return to + 1;
  }
  if (code < 0x800) {
    store<u8>(to, 0xc0 | (code >> 6));
    store<u8>(to, 0x80 | (code & 0x3f), 1);
    return to + 2;
  }
  if (code < 0x10000) {
    store<u8>(to, 0xe0 | (code >> 12));
    store<u8>(to, 0x80 | ((code >> 6) & 0x3f), 1);
    store<u8>(to, 0x80 | (code & 0x3f), 2);
    return to + 3;
  }
  store<u8>(to, 0xf0 | (code >> 18));
  store<u8>(to, 0x80 | ((code >> 12) & 0x3f), 1);
  store<u8>(to, 0x80 | ((code >> 6) & 0x3f), 2);
  store<u8>(to, 0x80 | (code & 0x3f), 3);
  return to + 4;
}

/** Appends a text as a JSON string. */
export function appendJsonText(buffer: Buffer, text: string): void {
  PLAIN.length = 0;
  PLAIN.appendText(text);
  appendJsonBytes(buffer, PLAIN.start, PLAIN.length);
}

/** Appends UTF-8 bytes as a JSON string. */
export function appendJsonBytes(buffer: Buffer, start: usize, bytes: usize): void {
  const end = start + bytes;
  // An escaped byte takes six, half a surrogate pair two a byte.
  const first = buffer.room(bytes * 6 + 2);
  let to = first;
  store<u8>(to++, 0x22);
  for (let at = start; at < end; at++) {
    const byte = <u32>load<u8>(at);
    if (byte >= 0x20 && byte != 0x22 && byte != 0x5c && byte != 0xed) store<u8>(to++, byte);
    else if (byte == 0xed && end - at > 2 && (load<u8>(at + 1) & 0xe0) == 0xa0) {
      to = writeCodeEscape(to, 0xd000 | ((load<u8>(at + 1) & 0x3f) << 6) | (load<u8>(at + 2) & 0x3f));
      at += 2;
    } else to = writeEscape(to, byte);
  }
  store<u8>(to++, 0x22);
  buffer.length += to - first;
}

function writeEscape(to: usize, byte: u32): usize {
  let letter: u32 = 0;
  if (byte == 0xed) {
    store<u8>(to, byte);
    return to + 1;
  }
  if (byte == 0x22 || byte == 0x5c) letter = byte;
  else if (byte == 8) letter = 0x62;
  else if (byte == 9) letter = 0x74;
  else if (byte == 10) letter = 0x6e;
  else if (byte == 12) letter = 0x66;
  else if (byte == 13) letter = 0x72;
  else return writeCodeEscape(to, byte);
  store<u8>(to, 0x5c);
  store<u8>(to, letter, 1);
  return to + 2;
}

/** `\u` and four hexadecimal digits. */
function writeCodeEscape(to: usize, code: u32): usize {
  store<u16>(to, 0x755c);
  for (let i: u32 = 0; i < 4; i++) {
    const digit = (code >> (12 - i * 4)) & 15;
    store<u8>(to + 2 + i, digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
  return to + 6;
}
