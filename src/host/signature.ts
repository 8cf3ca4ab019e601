import { createHash } from 'node:crypto';
import { Failure } from '../base/failure.js';
import { ByteReader } from '../sandbox/byte-reader.js';

const SECTION = 'weir.signature';

/** Who signed a module, and what they signed. */
export interface Signature {
  /** The public nkey. */
  key: string;
  /** Ed25519, in base64. */
  signature: string;
}

/** A module without its signature, which is its last section; `signature` is null when it has none. */
export function splitSignature(wasm: Uint8Array): { module: Uint8Array; signature: Signature | null } {
  const unsigned = { module: wasm, signature: null };
  try {
    const reader = new ByteReader(wasm, 8);
    while (!reader.done) {
      const start = reader.at;
      const id = reader.byte();
      const section = reader.part(reader.u32());
      if (!reader.done || id !== 0 || section.name() !== SECTION) continue;
      const text = Buffer.from(wasm.subarray(section.at, section.end)).toString('utf8');
      const { key, signature } = JSON.parse(text);
      if (typeof key !== 'string' || typeof signature !== 'string') return unsigned;
      return { module: wasm.subarray(0, start), signature: { key, signature } };
    }
  } catch {
    // Not a module, or its last words are no signature: whoever reads it next says so.
  }
  return unsigned;
}

/** What is signed: the digest of the module with its manifest, without the signature itself. */
export function signedBytes(module: Uint8Array): Uint8Array {
  return Buffer.from(`weir-plugin-1:${createHash('sha256').update(module).digest('hex')}`, 'utf8');
}

/** The module with a signature behind it. */
export function withSignature(module: Uint8Array, signature: Signature): Uint8Array {
  const name = Buffer.from(SECTION);
  const text = Buffer.from(JSON.stringify(signature));
  const body = Buffer.concat([leb128(name.length), name, text]);
  return Buffer.concat([module, Buffer.from([0]), leb128(body.length), body]);
}

/** Rejects with a `Failure` unless one of the keys signed the module; without keys, anything goes. */
export async function checkSignature(wasm: Uint8Array, trustedKeys: readonly string[]): Promise<void> {
  if (trustedKeys.length === 0) return;
  const refused = (text: string) => new Failure('module-signature', text);
  const { module, signature } = splitSignature(wasm);
  if (signature === null) throw refused('the module is not signed; this server takes signed modules only');
  const { key } = signature;
  if (!trustedKeys.includes(key)) {
    throw refused(
      `the module is signed by ${JSON.stringify(key.slice(0, 100))}, a key that this server does not trust`,
    );
  }
  const { fromPublic } = await import('@nats-io/nkeys');
  const bytes = Uint8Array.from(Buffer.from(signature.signature, 'base64'));
  if (fromPublic(key).verify(Uint8Array.from(signedBytes(module)), bytes)) return;
  throw refused(`the module is not what ${key} signed: it was changed afterwards`);
}

function leb128(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}
