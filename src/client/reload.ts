import type { Authentication } from '../auth/authentication.js';
import type { Identity } from '../auth/identity.js';
import { ErrorText } from '../wire/nats/errors.js';
import { ClosedReason } from './closed-reason.js';
import type { ClientDoor } from './door.js';
import type { ClientLimits } from './limits.js';
import type { ClientSession } from './session.js';

/** Takes limits on for everybody who is in. Returns how many connections were too many and closed: the newest ones. */
export function reloadLimits(door: ClientDoor, limits: ClientLimits): number {
  Object.assign(door.limits, limits);
  for (const session of door.sessions.values()) session.applyLimits();
  const surplus = [...door.sessions.values()].slice(limits.connectionsMax);
  for (const session of surplus) session.close(ClosedReason.maximumConnections, ErrorText.maximumConnections);
  return surplus.length;
}

/** Certificates that clients on the clients' port, and by WebSocket, may have; no list is all, null is that nothing changed. */
interface Pins {
  tls: readonly string[] | null;
  websocket: readonly string[] | null;
}

/** Ends the connections of clients whose certificates are not among the pinned ones any more. */
export function closeUnpinned(door: ClientDoor, pins: Pins): void {
  for (const session of [...door.sessions.values()]) {
    const { kind, tls } = session.transport;
    const pinned = kind === 'tcp' ? null : pins[kind];
    if (pinned === null || pinned.length === 0 || tls === null || pinned.includes(tls.peer?.keySha256 ?? '')) continue;
    door.logger.debug(`${session.label} - certificate not pinned any more`);
    session.close(ClosedReason.tlsHandshake);
  }
}

/**
 * Asks again who everybody is, after the users changed. Who is nobody any more, or in another account, is disconnected; the others get their
 * new permissions, and lose the subscriptions that those forbid. `before` is who let them in.
 */
export async function reauthenticate(door: ClientDoor, before: Authentication): Promise<void> {
  for (const session of [...door.sessions.values()]) {
    const { identity: present, transport } = session;
    const entrance = door.entranceOf(transport);
    if (!session.sentConnect && !entrance.authRequired) continue;
    const known = present === null || entrance !== door ? undefined : door.authenticator.knownFrom(before, present);
    await askAgain(door, session, known);
  }
}

/** Asks who a client is, unless it is `known`, and lets it go on as that, or go. */
export async function askAgain(door: ClientDoor, session: ClientSession, known?: Identity): Promise<void> {
  const verdict = known ?? door.entranceOf(session.transport).authenticate(session.options, session);
  // Only a promise is waited for, one at a time: bcrypt takes long, and passwords of clients that come in are checked meanwhile.
  const identity = verdict instanceof Promise ? await verdict : verdict;
  if (session.closedReason === null) settle(session, identity);
}

function settle(session: ClientSession, identity: Identity | null): void {
  if (identity === null) session.refuseAuthentication();
  // Without an identity its CONNECT is still being judged, by the present users.
  else if (session.identity !== null && session.identity.account !== identity.account) {
    // As in nats-server: it has to come again, since what it set up (streams, consumers, requests under way) is elsewhere.
    session.close(ClosedReason.clientClosed);
  } else if (session.identity !== null) {
    const refusal = session.setIdentity(identity);
    if (refusal !== null) session.close(refusal.reason, refusal.text);
    else session.dropForbiddenSubscriptions();
  }
}
