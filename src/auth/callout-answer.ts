import type { ConnectionFacts } from './authentication.js';

import { stayMs } from './circumstances.js';
import type { Identity } from './identity.js';
import { textOf } from './json-fields.js';
import { type Claims, decodeJwt, JwtMistake, whyNotNow } from './jwt.js';
import { Permissions } from './permissions.js';
import { decodeUserClaims, isUnlimited, type UserClaims, type UserLimits } from './user-claims.js';

/** Who may answer, and where those whom it lets in may be. */
export interface CalloutRule {
  account: string;
  /** The service's curve key; empty is no encryption. */
  xkey: string;
  whyNotSigner: (issuer: string) => string | null;
  placeOf: (user: UserClaims) => CalloutPlace | Promise<CalloutPlace>;
}

/** Where a user may be, and what it may do there. */
export type CalloutPlace = { account: string; limits: UserLimits } | { error: string };

/** Encrypts for, and decrypts from, the owner of a curve key. */
export interface CalloutCipher {
  /** The server's own curve key. */
  publicKey: string;
  seal(bytes: Uint8Array, recipient: string): Uint8Array;
  /** Null when the bytes are not from the sender. */
  open(bytes: Uint8Array, sender: string): Uint8Array | null;
}

/** An answer, and what it has to fit. */
export interface CalloutAnswer {
  bytes: Uint8Array;
  userKey: string;
  serverId: string;
  cipher: CalloutCipher | null;
}

/** Who the service says it is; a text says why that does not count. */
export async function identityOfAnswer(
  answer: CalloutAnswer,
  rule: CalloutRule,
  { facts, nowMs }: { facts: ConnectionFacts; nowMs: number },
): Promise<Identity | string> {
  try {
    const user = userOfAnswer(answer, rule, nowMs);
    return typeof user === 'string'
      ? user
      : identityOfUser(user, rule, { place: await rule.placeOf(user), facts, nowMs });
  } catch (error) {
    if (error instanceof JwtMistake) return error.message;
    throw error;
  }
}

function userOfAnswer(answer: CalloutAnswer, rule: CalloutRule, nowMs: number): UserClaims | string {
  const { bytes, userKey, serverId, cipher } = answer;
  const where = JSON.stringify(rule.account);
  if (bytes.length === 0) return `Auth callout violation: "no reason supplied" on account ${where}`;
  let token = Buffer.from(bytes).toString('latin1');
  const encrypted = cipher !== null && !token.startsWith('eyJ');
  if (encrypted) {
    const opened = cipher.open(bytes, rule.xkey);
    if (opened === null) return `Error decrypting auth callout response on account ${where}`;
    token = Buffer.from(opened).toString('latin1');
  }
  const response = decodeJwt(token, 'authorization_response');
  const why =
    whyNotResponse(response, { userKey, serverId, nowMs }) ?? (encrypted ? null : rule.whyNotSigner(response.issuer));
  if (why !== null) return why;
  const error = textOf(response.nats, 'error');
  if (error !== '') return `Auth callout service returned an error: ${error}`;
  const user = decodeUserClaims(textOf(response.nats, 'jwt'));
  const late = whyNotNow(user, nowMs);
  if (late !== null) return `Error validating user JWT: ${late}`;
  if (user.subject === userKey) return user;
  return `Expected authorized user of "${userKey}" but got "${user.subject}" on account ${where}`;
}

function whyNotResponse(
  response: Claims,
  { userKey, serverId, nowMs }: { userKey: string; serverId: string; nowMs: number },
): string | null {
  if (response.subject !== userKey) return 'Auth callout violation: auth callout response is not for expected user';
  if (response.audience !== serverId) return 'Auth callout violation: auth callout response is not for server';
  return whyNotNow(response, nowMs);
}

function identityOfUser(
  user: UserClaims,
  rule: CalloutRule,
  { place, facts, nowMs }: { place: CalloutPlace; facts: ConnectionFacts; nowMs: number },
): Identity | string {
  if ('error' in place) return place.error;
  const { limits } = place;
  const types = limits.connectionTypes;
  if (types.length > 0 && !types.includes(facts.type))
    return `Authorized user on account ${JSON.stringify(rule.account)} not allowed to use connection type`;
  const stay = stayMs(limits, nowMs);
  if (stay === 0) return `Authorized user on account ${JSON.stringify(rule.account)} outside of valid connect times`;
  const ends = [user.expires > 0 ? user.expires * 1000 : null, stay === null ? null : nowMs + stay];
  const known = ends.filter((end) => end !== null);
  return {
    userName: user.name || user.subject,
    account: place.account,
    permissions: isUnlimited(limits.permissions) ? null : new Permissions(limits.permissions),
    limits: { subscriptionsMax: limits.subscriptionsMax, payloadBytesMax: limits.payloadBytesMax },
    expiresMs: known.length === 0 ? null : Math.min(...known),
    claims: null,
  };
}
