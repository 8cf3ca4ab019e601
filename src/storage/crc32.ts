import * as zlib from 'node:zlib';

/** Tables for eight bytes a step: `TABLES[256 * k + b]` is the CRC of byte `b` followed by `k` zero bytes. */
const TABLES = new Int32Array(2048);
for (let i = 0; i < 256; i++) {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  TABLES[i] = crc;
}
for (let i = 256; i < 2048; i++) TABLES[i] = (TABLES[i - 256] >>> 8) ^ TABLES[TABLES[i - 256] & 255];

/** From here on zlib's own is faster, though a call of it costs 200 ns (bench/micro/storage.ts). */
const NATIVE_BYTES_MIN = 512;

/** CRC-32 (that of zlib) of `bytes[start, end)`, going on from `seed`; `view` is a view of the same bytes. */
export function crc32(bytes: Uint8Array, view: DataView, start: number, end: number, seed = 0): number {
  if (end - start >= NATIVE_BYTES_MIN) return zlib.crc32(bytes.subarray(start, end), seed);
  let crc = ~seed;
  let i = start;
  for (const last = end - 8; i <= last; i += 8) {
    const one = crc ^ view.getInt32(i, true);
    const two = view.getInt32(i + 4, true);
    crc =
      TABLES[1792 + (one & 255)] ^
      TABLES[1536 + ((one >>> 8) & 255)] ^
      TABLES[1280 + ((one >>> 16) & 255)] ^
      TABLES[1024 + (one >>> 24)] ^
      TABLES[768 + (two & 255)] ^
      TABLES[512 + ((two >>> 8) & 255)] ^
      TABLES[256 + ((two >>> 16) & 255)] ^
      TABLES[two >>> 24];
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[i]) & 255];
  return ~crc >>> 0;
}
