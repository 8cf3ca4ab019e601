import type { Account } from '../broker/account.js';
import type { Congestion, Party } from './congestion.js';
import { PauseReason } from './pause-reason.js';

/** A client that can be made to wait: a session. */
export interface RestingSession extends Party {
  readonly account: Account;
  readonly context: { readonly congestion: Congestion };
  feedsPlugins: boolean;
}

/** Reads no more in this turn when plugins had their share of it. What was read is done: to put it aside would mean to copy it. */
export function restAfterChunk(session: RestingSession): void {
  session.feedsPlugins = false;
  if (!session.account.shouldRest || session.reading.isPaused || session.closedReason !== null) return;
  session.reading.pause(PauseReason.rest);
  session.account.nextTurn(() => session.reading.resume(PauseReason.rest));
}

/** The rest of what a client sent waits until others had their turn. */
export function rest(session: RestingSession): void {
  session.reading.hold(PauseReason.rest);
  session.account.nextTurn(() => {
    if (session.closedReason !== null) return;
    session.reading.resume(PauseReason.rest);
    const { congestion } = session.context;
    if (congestion.any) congestion.stall(session);
  });
}
