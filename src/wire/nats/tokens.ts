/** No operation of a client has more arguments; one more is kept to see that there are too many. */
export const TOKENS_MAX = 6;

/**
 * Splits `bytes[start, end)` at runs of spaces and tabs into `tokens` as pairs of offsets; returns how many there are, at
 * most `TOKENS_MAX`.
 */
export function splitLine(bytes: Uint8Array, start: number, end: number, tokens: Int32Array): number {
  let count = 0;
  let i = start;
  while (count < TOKENS_MAX) {
    while (i < end && isBlank(bytes[i])) i++;
    if (i >= end) break;
    tokens[count * 2] = i;
    while (i < end && !isBlank(bytes[i])) i++;
    tokens[count * 2 + 1] = i;
    count++;
  }
  return count;
}

/** A decimal size of at most nine digits, or -1. */
export function parseSize(bytes: Uint8Array, start: number, end: number): number {
  const digits = end - start;
  if (digits === 0 || digits > 9) return -1;
  let size = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i] - 0x30;
    if (digit < 0 || digit > 9) return -1;
    size = size * 10 + digit;
  }
  return size;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}
