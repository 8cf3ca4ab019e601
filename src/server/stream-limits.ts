import type { AccountClaims, StreamClaims } from '../auth/account-claims.js';
import { GLOBAL_ACCOUNT } from '../auth/identity.js';
import { type AccountJetStream, UNLIMITED } from '../config/accounts-jetstream.js';
import type { Options } from '../config/options.js';
import type { StreamLimits } from '../stream/limits.js';
import type { ServerParts } from './server-parts.js';

/** Streams have one replica: of tiers, it is the one for these that counts. */
const TIER = 'R1';

/** What an account may store, by its JWT or by its configuration; null is nothing at all. */
export function wantedStreams({ accounts, options, operator }: ServerParts, account: string): AccountJetStream | null {
  if (operator !== null) return fromClaims(operator.claimsOf(account));
  const own = options.accounts.find(({ name }) => name === account)?.jetstream ?? null;
  if (own !== null) return own;
  // Without other accounts the global one has streams.
  const isAlone = accounts.all().every(({ name }) => name === GLOBAL_ACCOUNT || name === options.systemAccount);
  return isAlone && account === GLOBAL_ACCOUNT ? UNLIMITED : null;
}

function fromClaims(claims: AccountClaims | undefined): AccountJetStream | null {
  if (claims === undefined) return null;
  const { streams, tiers } = claims;
  if (tiers.size === 0) return streams.memoryBytes === 0 && streams.storeBytes === 0 ? null : ofClaims(streams, '');
  const tier = tiers.get(TIER);
  return tier === undefined ? { ...UNLIMITED, tier: 'missing' } : ofClaims(tier, TIER);
}

/** A JWT says 0 where nothing is limited, but for the bytes of a storage: then there is none. */
function ofClaims(claims: StreamClaims, tier: AccountJetStream['tier']): AccountJetStream {
  const limit = (value: number) => (value > 0 ? value : -1);
  return {
    memoryBytesMax: claims.memoryBytes,
    storeBytesMax: claims.storeBytes,
    streamsMax: limit(claims.streams),
    consumersMax: limit(claims.consumers),
    ackPendingMax: limit(claims.ackPending),
    memoryStreamBytesMax: limit(claims.memoryStreamBytes),
    storeStreamBytesMax: limit(claims.storeStreamBytes),
    bytesMaxRequired: claims.bytesMaxRequired,
    tier,
  };
}

/** An account's limits within the server's. */
export function limitsOfAccount(
  own: AccountJetStream,
  { requestBatchMax, duplicateWindowMaxNs, consumersMax, ackPendingMax }: Options['streams'],
  server: { memoryBytesMax: number; storeBytesMax: number },
): StreamLimits {
  return {
    ...{ requestBatchMax, duplicateWindowMaxNs, streamsMax: own.streamsMax, tier: own.tier },
    consumersMax: own.consumersMax >= 0 ? own.consumersMax : consumersMax,
    ackPendingMax: own.ackPendingMax > 0 ? own.ackPendingMax : ackPendingMax,
    accountMemoryMax: own.memoryBytesMax,
    accountStoreMax: own.storeBytesMax,
    memoryBytesMax: least(own.memoryBytesMax, server.memoryBytesMax),
    storeBytesMax: least(own.storeBytesMax, server.storeBytesMax),
    memoryStreamBytesMax: own.memoryStreamBytesMax,
    storeStreamBytesMax: own.storeStreamBytesMax,
    bytesMaxRequired: own.bytesMaxRequired,
  };
}

/** The smaller limit; -1 is none. */
function least(one: number, other: number): number {
  return one < 0 ? other : Math.min(one, other);
}
