import { generateKeyPairSync } from 'node:crypto';
import { encodeKey } from '../auth/nkey.js';

/** A new server id: the text of a public nkey that begins with `N`. */
export function newServerId(): string {
  const { publicKey } = generateKeyPairSync('ed25519');
  return encodeKey('server', publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
}
