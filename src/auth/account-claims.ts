import { type Fields, fieldsOf, flagOf, isFields, listOf, numberOf, textOf, textsOf } from './json-fields.js';
import { type Claims, decodeJwt, JwtMistake, whyNotNow } from './jwt.js';
import { isKey } from './nkey.js';
import type { PermissionRules } from './permissions.js';
import { readPermissions, readUserLimits, type UserLimits } from './user-claims.js';

/** What an account's JWT says. -1 is no limit. */
export interface AccountClaims extends Claims {
  connectionsMax: number;
  leafNodesMax: number;
  subscriptionsMax: number;
  payloadBytesMax: number;
  bearerForbidden: boolean;
  /** What it may store, when there are no tiers: by the number of replicas, as `R1`. */
  streams: StreamClaims;
  tiers: ReadonlyMap<string, StreamClaims>;
  /** Keys that sign for it; one with limits signs for users that have just these. */
  signingKeys: ReadonlyMap<string, UserLimits | null>;
  /** Until when (seconds since the epoch) what a user was given does not count; `*` is everybody. */
  revocations: ReadonlyMap<string, number>;
  defaultPermissions: PermissionRules;
  exports: ExportClaims[];
  imports: ImportClaims[];
  /** Where traces go of messages with a `traceparent`, and of how many of them in a hundred. */
  trace: { dest: string; sampling: number } | null;
  mappings: { source: string; destinations: { subject: string; weight: number; cluster: string }[] }[];
  /** Who is let in without a word from outside, and how to ask there; empty is nobody: nothing is asked. */
  externalAuthorization: { users: string[]; accounts: string[]; xkey: string };
}

/** What an account may store. -1 is no limit; no bytes of a storage is nothing there. */
export interface StreamClaims {
  memoryBytes: number;
  storeBytes: number;
  streams: number;
  consumers: number;
  ackPending: number;
  memoryStreamBytes: number;
  storeStreamBytes: number;
  bytesMaxRequired: boolean;
}

export interface ExportClaims {
  kind: 'stream' | 'service';
  subject: string;
  tokenRequired: boolean;
  revocations: ReadonlyMap<string, number>;
  responseType: string;
  responseThresholdMs: number;
  latency: { subject: string; sampling: number } | null;
  tokenPosition: number;
  allowTrace: boolean;
}

export interface ImportClaims {
  kind: 'stream' | 'service';
  account: string;
  subject: string;
  localSubject: string;
  /** As the first version wrote it: a prefix for streams, a subject for services. */
  to: string;
  token: string;
  share: boolean;
  allowTrace: boolean;
}

/** Throws a `JwtMistake`. */
export function decodeAccountClaims(token: string): AccountClaims {
  const claims = decodeJwt(token, 'account');
  const { nats } = claims;
  const limits = fieldsOf(nats, 'limits');
  const tiers = fieldsOf(limits, 'tiered_limits');
  const authorization = fieldsOf(nats, 'authorization');
  return {
    ...claims,
    connectionsMax: numberOf(limits, 'conn', -1),
    leafNodesMax: numberOf(limits, 'leaf', -1),
    subscriptionsMax: numberOf(limits, 'subs', -1),
    payloadBytesMax: numberOf(limits, 'payload', -1),
    bearerForbidden: flagOf(limits, 'disallow_bearer'),
    streams: readStreams(limits),
    tiers: new Map(Object.keys(tiers).map((tier) => [tier, readStreams(fieldsOf(tiers, tier))])),
    signingKeys: readSigningKeys(nats),
    revocations: readTimes(nats, 'revocations'),
    defaultPermissions: readPermissions(fieldsOf(nats, 'default_permissions')),
    exports: listOf(nats, 'exports').map(readExport),
    imports: listOf(nats, 'imports').map(readImport),
    trace: readTrace(fieldsOf(nats, 'trace')),
    mappings: Object.entries(fieldsOf(nats, 'mappings')).map(([source, list]) => ({
      source,
      destinations: listOf({ list }, 'list').map((one) => ({
        subject: textOf(one, 'subject'),
        weight: numberOf(one, 'weight') || 100,
        cluster: textOf(one, 'cluster'),
      })),
    })),
    externalAuthorization: {
      users: textsOf(authorization, 'auth_users'),
      accounts: textsOf(authorization, 'allowed_accounts'),
      xkey: textOf(authorization, 'xkey'),
    },
  };
}

/** Whether something about the subject, said at this time, was taken back. */
export function isRevoked(revocations: ReadonlyMap<string, number>, subject: string, issuedAt: number): boolean {
  return [subject, '*'].some((name) => (revocations.get(name) ?? -1) >= issuedAt);
}

/** Whether the token of an import says that the exporting account agrees to this export. */
export function isActivated(
  wanted: ImportClaims,
  importer: string,
  { exporter, offered, nowMs }: { exporter: AccountClaims; offered: ExportClaims; nowMs: number },
): boolean {
  if (wanted.token === '') return false;
  try {
    const activation = decodeJwt(wanted.token, 'activation');
    const signer = textOf(activation.nats, 'issuer_account') || activation.issuer;
    if (signer !== exporter.subject || !isSigner(exporter, activation.issuer)) return false;
    if (activation.subject !== importer || whyNotNow(activation, nowMs) !== null) return false;
    return !isRevoked(offered.revocations, activation.subject, activation.issuedAt);
  } catch (error) {
    if (error instanceof JwtMistake) return false;
    throw error;
  }
}

/** Whether a key signs for the account. */
export function isSigner({ subject, signingKeys }: AccountClaims, key: string): boolean {
  return key === subject || signingKeys.has(key);
}

function readStreams(limits: Fields): StreamClaims {
  return {
    memoryBytes: numberOf(limits, 'mem_storage'),
    storeBytes: numberOf(limits, 'disk_storage'),
    streams: numberOf(limits, 'streams'),
    consumers: numberOf(limits, 'consumer'),
    ackPending: numberOf(limits, 'max_ack_pending'),
    memoryStreamBytes: numberOf(limits, 'mem_max_stream_bytes'),
    storeStreamBytes: numberOf(limits, 'disk_max_stream_bytes'),
    bytesMaxRequired: flagOf(limits, 'max_bytes_required'),
  };
}

function readSigningKeys(nats: Fields): Map<string, UserLimits | null> {
  const keys = new Map<string, UserLimits | null>();
  const listed = Array.isArray(nats.signing_keys) ? nats.signing_keys : [];
  for (const entry of listed) {
    if (typeof entry === 'string') keys.set(entry, null);
    else if (isFields(entry)) keys.set(textOf(entry, 'key'), readUserLimits(fieldsOf(entry, 'template')));
  }
  for (const key of keys.keys())
    if (!isKey('account', key)) throw new JwtMistake(`${key} is not an account public key`);
  return keys;
}

function readTimes(from: Fields, key: string): Map<string, number> {
  const times = fieldsOf(from, key);
  return new Map(Object.keys(times).map((name) => [name, numberOf(times, name)]));
}

const kindOf = (from: Fields) => (textOf(from, 'type') === 'service' ? 'service' : 'stream');

function readTrace(from: Fields): AccountClaims['trace'] {
  const dest = textOf(from, 'dest');
  return dest === '' ? null : { dest, sampling: numberOf(from, 'sampling') || 100 };
}

function readExport(from: Fields): ExportClaims {
  const latency = fieldsOf(from, 'service_latency');
  const results = textOf(latency, 'results');
  return {
    kind: kindOf(from),
    subject: textOf(from, 'subject'),
    tokenRequired: flagOf(from, 'token_req'),
    revocations: readTimes(from, 'revocations'),
    responseType: textOf(from, 'response_type').toLowerCase(),
    responseThresholdMs: numberOf(from, 'response_threshold') / 1e6,
    latency: results === '' ? null : { subject: results, sampling: numberOf(latency, 'sampling') },
    tokenPosition: numberOf(from, 'account_token_position'),
    allowTrace: flagOf(from, 'allow_trace'),
  };
}

function readImport(from: Fields): ImportClaims {
  return {
    kind: kindOf(from),
    account: textOf(from, 'account'),
    subject: textOf(from, 'subject'),
    localSubject: textOf(from, 'local_subject'),
    to: textOf(from, 'to'),
    token: textOf(from, 'token'),
    share: flagOf(from, 'share'),
    allowTrace: flagOf(from, 'allow_trace'),
  };
}
