import { createPublicKey, type KeyObject, verify } from 'node:crypto';

/** What a key is for: the first letter of its text. */
export type KeyKind = 'account' | 'cluster' | 'curve' | 'operator' | 'server' | 'user';

/** First bytes of public keys, five bits of which make the first letter. */
const PREFIXES: Record<KeyKind, number> = {
  account: 0,
  cluster: 2 << 3,
  server: 13 << 3,
  operator: 14 << 3,
  user: 20 << 3,
  curve: 23 << 3,
};

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const VALUES = new Map(Array.from(ALPHABET, (letter, value) => [letter, value]));
const KEY_BYTES = 32;
/** Prefix, key and check sum in letters of five bits. */
const TEXT_LENGTH = 56;

/** 56 letters that stand for a public key: base32 of a prefix, the key and a CRC-16. */
export function encodeKey(kind: KeyKind, key: Uint8Array): string {
  const body = Buffer.concat([Buffer.of(PREFIXES[kind]), key]);
  const sum = crc16(body);
  return base32(Buffer.concat([body, Buffer.of(sum & 0xff, sum >> 8)]));
}

/** The 32 bytes of a public key of this kind, or null when the text is none. */
export function decodeKey(kind: KeyKind, text: string): Uint8Array | null {
  if (text.length !== TEXT_LENGTH) return null;
  const bytes = fromBase32(text);
  if (bytes === null || bytes[0] !== PREFIXES[kind]) return null;
  const body = bytes.subarray(0, 1 + KEY_BYTES);
  const sum = bytes[1 + KEY_BYTES] | (bytes[2 + KEY_BYTES] << 8);
  return crc16(body) === sum ? body.subarray(1) : null;
}

/** Whether the text is a public key of this kind. */
export function isKey(kind: KeyKind, text: string): boolean {
  return decodeKey(kind, text) !== null;
}

/** Keys that were made ready for the library: making one takes as long as a tenth of a check. */
const READY_MAX = 4096;
const ready = new Map<string, KeyObject>();

/** Whether the key signed the bytes. */
export function verifyKey(kind: KeyKind, text: string, signed: Uint8Array, signature: Uint8Array): boolean {
  const known = ready.get(text);
  const key = known ?? makeReady(kind, text);
  return key !== null && (known === undefined || isKindOf(kind, text)) && verify(null, signed, key, signature);
}

function isKindOf(kind: KeyKind, text: string): boolean {
  return text[0] === ALPHABET[PREFIXES[kind] >> 3];
}

function makeReady(kind: KeyKind, text: string): KeyObject | null {
  const bytes = decodeKey(kind, text);
  if (bytes === null) return null;
  const key = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(bytes).toString('base64url') },
    format: 'jwk',
  });
  if (ready.size >= READY_MAX) ready.delete(ready.keys().next().value!);
  ready.set(text, key);
  return key;
}

/** CRC-16 XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      text += ALPHABET[(value >>> (bits - 5)) & 31];
      bits -= 5;
    }
  }
  return bits > 0 ? text + ALPHABET[(value << (5 - bits)) & 31] : text;
}

/** Null when a letter is none of the alphabet, or when what is left over is not zero. */
function fromBase32(text: string): Uint8Array | null {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0;
  let value = 0;
  let at = 0;
  for (const letter of text) {
    const five = VALUES.get(letter);
    if (five === undefined) return null;
    value = ((value << 5) | five) & 0xffff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (value >>> bits) & 0xff;
  }
  return (value & ((1 << bits) - 1)) === 0 ? bytes : null;
}
