import { generateKeyPairSync, sign } from 'node:crypto';
import { encodeKey } from '../auth/nkey.js';

/** What a server proves that it is itself with. */
export interface ServerKey {
  /** The text of a public nkey that begins with `N`. */
  id: string;
  sign(bytes: Uint8Array): Uint8Array;
}

export function newServerKey(): ServerKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const id = encodeKey('server', publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
  return { id, sign: (bytes) => sign(null, bytes, privateKey) };
}
