import type { Lane } from '../broker/lane.js';
import type { Route } from '../broker/route.js';
import type { Message } from '../message/message.js';
import { PauseReason } from './pause-reason.js';
import type { RestingSession } from './rest.js';

/** A client whose messages may have to wait for plugins beside the event loop: a session. */
export interface LanedSession extends RestingSession {
  readonly lane: Lane | null;
  onSubscribe(bytes: Uint8Array, tokens: Int32Array, withQueue: boolean): void;
}

/** Messages before it wait for plugins in worker threads: it waits behind them, and the client with it when they are many. */
export function publishBehind(session: LanedSession, route: Route, message: Message): void {
  session.account.publishBehind(route, message, session);
  waitForRoom(session);
}

/** Reads no more of it while too many of its messages wait. */
export function waitForRoom(session: LanedSession): void {
  const { lane, reading } = session;
  if (lane === null || !lane.isFull || reading.has(PauseReason.workers)) return;
  reading.hold(PauseReason.workers);
  lane.whenRoom(() => reading.resume(PauseReason.workers));
}

/** Does what comes behind messages that wait when they are on their way, and reads nothing that follows until then. */
export function goBehind(session: LanedSession, run: () => void): void {
  const { lane, reading } = session;
  reading.hold(PauseReason.workers);
  lane!.whenIdle(() => {
    if (session.closedReason === null) run();
    reading.resume(PauseReason.workers);
  });
}

/** A subscription counts from its place among the messages of its client. */
export function subscribeBehind(
  session: LanedSession,
  bytes: Uint8Array,
  tokens: Int32Array,
  withQueue: boolean,
): void {
  const start = tokens[0];
  const end = tokens[withQueue ? 5 : 3];
  const line = bytes.slice(start, end);
  const places = tokens.slice(0, withQueue ? 6 : 4).map((place) => place - start);
  goBehind(session, () => session.onSubscribe(line, places, withQueue));
}
