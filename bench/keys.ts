import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { encodeJwt } from '../src/auth/jwt.js';
import { encodeKey, type KeyKind } from '../src/auth/nkey.js';

/** A key of NATS: its public part as text, and what it signs with. */
export interface Key {
  text: string;
  secret: KeyObject;
}

export function newKey(kind: KeyKind): Key {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return { text: encodeKey(kind, raw), secret: privateKey };
}

/** A JWT about `subject`, in which `nats` stands. */
export function tokenOf(issuer: Key, subject: Key, nats: object): string {
  const claims = { iss: issuer.text, sub: subject.text, iat: 1, nats: { ...nats, version: 2 } };
  return encodeJwt(claims, (bytes) => sign(null, bytes, issuer.secret));
}
