import * as zlib from 'node:zlib';

/** Tables for sixteen bytes a step: `TABLES[256 * k + b]` is the CRC of byte `b` followed by `k` zero bytes. */
const TABLES = new Int32Array(4096);
for (let i = 0; i < 256; i++) {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  TABLES[i] = crc;
}
for (let i = 256; i < 4096; i++) TABLES[i] = (TABLES[i - 256] >>> 8) ^ TABLES[TABLES[i - 256] & 255];

/** From here on zlib's own is faster, though a call of it costs 200 ns (bench/micro/storage.ts). */
const NATIVE_BYTES_MIN = 512;

/** CRC-32 (that of zlib) of `bytes[start, end)`, going on from `seed`; `view` is a view of the same bytes. */
export function crc32(bytes: Uint8Array, view: DataView, start: number, end: number, seed = 0): number {
  if (end - start >= NATIVE_BYTES_MIN) return zlib.crc32(bytes.subarray(start, end), seed);
  let crc = ~seed;
  let i = start;
  for (const last = end - 16; i <= last; i += 16) {
    crc =
      shifted(view.getInt32(i + 12, true), 0) ^
      shifted(view.getInt32(i + 8, true), 1024) ^
      shifted(view.getInt32(i + 4, true), 2048) ^
      shifted(crc ^ view.getInt32(i, true), 3072);
  }
  for (const last = end - 4; i <= last; i += 4) crc = shifted(crc ^ view.getInt32(i, true), 0);
  for (; i < end; i++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[i]) & 255];
  return ~crc >>> 0;
}

/** The CRC of a word's four bytes, followed by as many zero bytes as `tables` begins behind the first of the tables, times 256. */
function shifted(word: number, tables: number): number {
  return (
    TABLES[tables + 768 + (word & 255)] ^
    TABLES[tables + 512 + ((word >>> 8) & 255)] ^
    TABLES[tables + 256 + ((word >>> 16) & 255)] ^
    TABLES[tables + (word >>> 24)]
  );
}
