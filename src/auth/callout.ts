import { createHash, generateKeyPairSync } from 'node:crypto';
import type { ConnectionFacts } from './authentication.js';
import { type CalloutAnswer, type CalloutCipher, type CalloutRule, identityOfAnswer } from './callout-answer.js';
import type { Identity } from './identity.js';
import { encodeJwt } from './jwt.js';
import { encodeKey } from './nkey.js';
import { Permissions } from './permissions.js';

/** Where the service listens. Nobody else in its account may publish there. */
export const CALLOUT_SUBJECT = '$SYS.REQ.USER.AUTH';

/** What the server lends to callouts. */
export interface CalloutHouse {
  nowMs: () => number;
  timeoutMs: () => number;
  /** The server as requests name it. */
  server: () => { name: string; host: string; id: string; version: string; tags: readonly string[] };
  sign: (bytes: Uint8Array) => Uint8Array;
  /** Encrypts for, and decrypts from, the owner of a curve key; made when it is first needed. */
  cipher: () => Promise<CalloutCipher>;
  /** The first answer to a request in an account; null when nobody answers in time. */
  ask: (account: string, request: { payload: Uint8Array; xkey: string | null }) => Promise<Uint8Array | null>;
  isAccount: (name: string) => boolean;
}

export interface CalloutQuestion {
  /** Whom the request is about, in its own words: the account that answers. */
  subject: string;
  facts: ConnectionFacts;
  house: CalloutHouse;
}

/** With the permissions of those who are in the account of the service: they may listen to requests there, and not make them up. */
export function withoutService(identity: Identity): Identity {
  const known = limited.get(identity);
  if (known !== undefined) return known;
  const rules = identity.permissions?.rules ?? {};
  const deny = [...(rules.publish?.deny ?? []), CALLOUT_SUBJECT];
  const made = { ...identity, permissions: new Permissions({ ...rules, publish: { ...rules.publish, deny } }) };
  limited.set(identity, made);
  return made;
}

const limited = new WeakMap<Identity, Identity>();

/** Asks a service who a client is, and judges its answer. */
export async function callOut(rule: CalloutRule, { subject, facts, house }: CalloutQuestion): Promise<Identity | null> {
  const userKey = newUserKey();
  const cipher = rule.xkey === '' ? null : await house.cipher();
  const payload = Buffer.from(requestJwt(userKey, { subject, facts, house }, cipher));
  const xkey = cipher?.publicKey ?? null;
  const answer = await house.ask(rule.account, { payload: cipher?.seal(payload, rule.xkey) ?? payload, xkey });
  if (answer === null) {
    facts.note(`Authorization callout response not received in time on account "${rule.account}"`);
    return null;
  }
  const read: CalloutAnswer = { bytes: answer, userKey, serverId: house.server().id, cipher };
  const identity = await identityOfAnswer(read, rule, { facts, nowMs: house.nowMs() });
  if (typeof identity !== 'string') return identity;
  facts.warn(identity);
  return null;
}

/** A key that is made up for one request: an answer to another one does not fit. */
function newUserKey(): string {
  const { publicKey } = generateKeyPairSync('ed25519');
  return encodeKey('user', publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
}

function requestJwt(userKey: string, { subject, facts, house }: CalloutQuestion, cipher: CalloutCipher | null): string {
  const { name, host, id, version, tags } = house.server();
  const seconds = Math.floor(house.nowMs() / 1000);
  const claims = {
    aud: 'nats-authorization-request',
    exp: seconds + Math.max(1, Math.ceil(house.timeoutMs() / 1000)),
    jti: createHash('sha256').update(userKey).digest('base64url'),
    iat: seconds,
    iss: id,
    sub: subject,
    nats: {
      server_id: {
        name,
        host,
        id,
        version,
        ...(tags.length > 0 && { tags }),
        ...(cipher && { xkey: cipher.publicKey }),
      },
      user_nkey: userKey,
      ...facts.describe(),
      type: 'authorization_request',
      version: 2,
    },
  };
  return encodeJwt(claims, house.sign);
}
