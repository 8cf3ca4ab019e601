import { parseJson } from '../base/json.js';
import { type Fields, fieldsOf, isFields, numberOf, textOf, textsOf } from './json-fields.js';
import { isKey, type KeyKind, verifyKey } from './nkey.js';

export type ClaimType =
  | 'operator'
  | 'account'
  | 'user'
  | 'activation'
  | 'generic'
  | 'authorization_request'
  | 'authorization_response';

/** What a JWT of NATS says, its signature proved. Times are in seconds since the epoch; 0 is none. */
export interface Claims {
  token: string;
  id: string;
  issuer: string;
  subject: string;
  audience: string;
  name: string;
  issuedAt: number;
  expires: number;
  notBefore: number;
  tags: string[];
  nats: Fields;
}

/** Why a text is no JWT that can be believed. */
export class JwtMistake extends Error {}

const TOKEN_BYTES_MAX = 1024 * 1024;

/** Who may sign what, and whom it may be about. */
const KINDS: Record<ClaimType, { issuers: KeyKind[]; subject: KeyKind }> = {
  operator: { issuers: ['operator'], subject: 'operator' },
  account: { issuers: ['account', 'operator'], subject: 'account' },
  user: { issuers: ['account'], subject: 'user' },
  activation: { issuers: ['account', 'operator'], subject: 'account' },
  generic: { issuers: ['operator', 'account'], subject: 'operator' },
  authorization_request: { issuers: ['server'], subject: 'user' },
  authorization_response: { issuers: ['account'], subject: 'user' },
};

/** Decodes a JWT and proves its signature. Throws a `JwtMistake`; says nothing about the time at which it holds. */
export function decodeJwt(token: string, type: ClaimType): Claims {
  if (token.length > TOKEN_BYTES_MAX) throw new JwtMistake('token is too long');
  const parts = token.split('.');
  if (parts.length !== 3) throw new JwtMistake('expected 3 chunks');
  const [head, body, signature] = parts;
  const version = versionOf(parse(head, 'header'));
  const payload = parse(body, 'claims');
  const claims = readClaims(token, payload);
  const found = textOf(claims.nats, 'type') || textOf(payload, 'type');
  if (found !== type) throw new JwtMistake(`expected a claim of type ${type}, found ${JSON.stringify(found)}`);
  const { issuers, subject } = KINDS[type];
  const kind = issuers.find((candidate) => isKey(candidate, claims.issuer));
  if (kind === undefined) throw new JwtMistake(`unable to validate expected prefixes - ${issuers.join(', ')}`);
  if (!isKey(subject, claims.subject)) throw new JwtMistake(`not ${subject} claim`);
  // The first version signed the claims without the header.
  const signed = Buffer.from(version === 1 ? body : `${head}.${body}`);
  if (!verifyKey(kind, claims.issuer, signed, Buffer.from(signature, 'base64url')))
    throw new JwtMistake('claim failed signature verification');
  return claims;
}

/** A JWT of claims, signed by whoever is their issuer. */
export function encodeJwt(claims: object, sign: (bytes: Uint8Array) => Uint8Array): string {
  const chunk = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${chunk({ typ: 'JWT', alg: 'ed25519-nkey' })}.${chunk(claims)}`;
  return `${signed}.${Buffer.from(sign(Buffer.from(signed))).toString('base64url')}`;
}

/** Why claims do not hold at this time, or null. */
export function whyNotNow({ expires, notBefore }: Claims, nowMs: number): string | null {
  const now = Math.floor(nowMs / 1000);
  if (expires > 0 && expires <= now) return 'claim is expired';
  return notBefore > 0 && notBefore > now ? 'claim is not yet valid' : null;
}

const VERSIONS: Record<string, number> = { ed25519: 1, 'ed25519-nkey': 2 };

function versionOf(header: Fields): number {
  const type = textOf(header, 'typ');
  if (type.toLowerCase() !== 'jwt') throw new JwtMistake(`not supported type ${JSON.stringify(type)}`);
  const algorithm = textOf(header, 'alg');
  const version = VERSIONS[algorithm.toLowerCase()];
  if (version === undefined) throw new JwtMistake(`unexpected ${JSON.stringify(algorithm)} algorithm`);
  return version;
}

function parse(chunk: string, what: string): Fields {
  let value: unknown;
  try {
    value = parseJson(Buffer.from(chunk, 'base64url').toString('utf8'));
  } catch {
    throw new JwtMistake(`the ${what} are not JSON`);
  }
  if (!isFields(value)) throw new JwtMistake(`the ${what} are no object`);
  return value;
}

function readClaims(token: string, payload: Fields): Claims {
  const nats = fieldsOf(payload, 'nats');
  return {
    token,
    id: textOf(payload, 'jti'),
    issuer: textOf(payload, 'iss'),
    subject: textOf(payload, 'sub'),
    audience: textOf(payload, 'aud'),
    name: textOf(payload, 'name'),
    issuedAt: numberOf(payload, 'iat'),
    expires: numberOf(payload, 'exp'),
    notBefore: numberOf(payload, 'nbf'),
    tags: textsOf(nats, 'tags').concat(textsOf(payload, 'tags')),
    nats,
  };
}
