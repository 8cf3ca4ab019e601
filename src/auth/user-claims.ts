import { type Fields, fieldsOf, flagOf, listOf, numberOf, textOf, textsOf } from './json-fields.js';
import { type Claims, decodeJwt } from './jwt.js';
import type { PermissionRules, SubjectRules } from './permissions.js';

/** What a user may do, as JWTs write it: in a user's own, or in the template of a signing key. -1 is no limit. */
export interface UserLimits {
  permissions: PermissionRules;
  subscriptionsMax: number;
  payloadBytesMax: number;
  /** Networks to come from, as `10.0.0.0/8`; empty is any. */
  sources: string[];
  /** Times of the day, `HH:MM:SS`; empty is any. */
  times: { start: string; end: string }[];
  timeZone: string;
  bearer: boolean;
  connectionTypes: string[];
  proxyRequired: boolean;
}

export interface UserClaims extends Claims {
  /** The account, where a signing key of it is the issuer. */
  issuerAccount: string;
  limits: UserLimits;
  /** Whether it says nothing of what it may do: its signing key does. */
  isScoped: boolean;
}

/** Throws a `JwtMistake`. */
export function decodeUserClaims(token: string): UserClaims {
  const claims = decodeJwt(token, 'user');
  const { nats } = claims;
  return {
    ...claims,
    issuerAccount: textOf(nats, 'issuer_account'),
    limits: readUserLimits(nats),
    isScoped: LIMITS.every((key) => isEmpty(nats[key])),
  };
}

const LIMITS = ['pub', 'sub', 'resp', 'src', 'times', 'subs', 'data', 'payload', 'bearer_token'].concat(
  'allowed_connection_types',
  'proxy_required',
);

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}

export function readUserLimits(from: Fields): UserLimits {
  return {
    permissions: readPermissions(from),
    subscriptionsMax: numberOf(from, 'subs', -1),
    payloadBytesMax: numberOf(from, 'payload', -1),
    sources: textsOf(from, 'src').flatMap((list) => list.split(',').map((network) => network.trim())),
    times: listOf(from, 'times').map((time) => ({ start: textOf(time, 'start'), end: textOf(time, 'end') })),
    timeZone: textOf(from, 'times_location'),
    bearer: flagOf(from, 'bearer_token'),
    connectionTypes: textsOf(from, 'allowed_connection_types'),
    proxyRequired: flagOf(from, 'proxy_required'),
  };
}

/** `pub`, `sub` and `resp`; empty when none of them says anything. */
export function readPermissions(from: Fields): PermissionRules {
  const rules: PermissionRules = {};
  const [publish, subscribe] = [subjectRules(fieldsOf(from, 'pub')), subjectRules(fieldsOf(from, 'sub'))];
  if (publish !== null) rules.publish = publish;
  if (subscribe !== null) rules.subscribe = subscribe;
  const responses = from.resp;
  if (responses !== null && typeof responses === 'object') {
    const resp = responses as Fields;
    rules.responses = { max: numberOf(resp, 'max') || 1, expiresMs: numberOf(resp, 'ttl') / 1e6 || 120_000 };
  }
  return rules;
}

function subjectRules(from: Fields): SubjectRules | null {
  const [allow, deny] = [textsOf(from, 'allow'), textsOf(from, 'deny')];
  if (allow.length === 0 && deny.length === 0) return null;
  return { ...(allow.length > 0 && { allow }), ...(deny.length > 0 && { deny }) };
}

export function isUnlimited(rules: PermissionRules): boolean {
  return Object.keys(rules).length === 0;
}
