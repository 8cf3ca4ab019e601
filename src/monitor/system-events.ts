import { randomUUID } from 'node:crypto';
import { accountStat } from './accounts.js';
import type { AccountSnapshot, ConnectionSnapshot } from './snapshots.js';

/** The beginning of every event: what it is, a number of its own, when. */
function typed(type: string, nowMs: number): object {
  const id = randomUUID().replaceAll('-', '').slice(0, 22).toUpperCase();
  return { type: `io.nats.server.advisory.v1.${type}`, id, timestamp: new Date(nowMs).toISOString() };
}

/** Somebody came in. `client` is as others are told of it. */
export function connectEvent(server: object, client: object, nowMs: number): object {
  return { ...typed('client_connect', nowMs), server, client };
}

/** Somebody went, or was not let in. */
export function disconnectEvent(
  server: object,
  client: object,
  { connection, reason, nowMs }: { connection: ConnectionSnapshot; reason: string; nowMs: number },
): object {
  return {
    ...typed('client_disconnect', nowMs),
    server,
    client: { ...client, stop: new Date(nowMs).toISOString() },
    sent: { msgs: connection.inMessages, bytes: connection.inBytes },
    received: { msgs: connection.outMessages, bytes: connection.outBytes },
    reason,
  };
}

/** How many are in an account. */
export function accountConnections(server: object, account: AccountSnapshot, nowMs: number): object {
  return { ...typed('account_connections', nowMs), server, ...accountStat(account) };
}
