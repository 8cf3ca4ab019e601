import { ClosedReason } from '../client/closed-reason.js';
import type { ServerParts } from './server-parts.js';

/** Between two clients that are asked to go; fewer clients do not take longer. */
const PAUSE_MS_MAX = 1_000;
const STEP_MS = 50;

/**
 * Sees clients off: they were told and have some time to go by themselves, then they are closed one after the other, so that other servers
 * do not get them all at once. `stopped` ends it early.
 */
export async function seeClientsOff(parts: ServerParts, stopped: () => boolean): Promise<void> {
  const { door, logger, options } = parts;
  // Timers of the clock do not keep the process alive, and the ports are closed already.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    const over = () => stopped() || door.sessions.size === 0;
    await wait(parts, options.lameDuckGraceMs, over);
    if (over()) return;
    logger.info('Closing existing clients');
    const sessions = [...door.sessions.values()];
    const restMs = Math.max(0, options.lameDuckDurationMs - options.lameDuckGraceMs);
    const pauseMs = Math.min(PAUSE_MS_MAX, restMs / sessions.length);
    for (const session of sessions) {
      session.close(ClosedReason.serverShutdown);
      await wait(parts, pauseMs, over);
      if (over()) return;
    }
  } finally {
    clearInterval(alive);
  }
}

/** Waits so long, or until it is over. */
async function wait({ clock }: ServerParts, ms: number, over: () => boolean): Promise<void> {
  const endMs = clock.monotonicNs() / 1e6 + ms;
  for (;;) {
    const leftMs = endMs - clock.monotonicNs() / 1e6;
    if (leftMs <= 0 || over()) return;
    await new Promise<void>((resolve) => {
      clock.after(Math.min(STEP_MS, leftMs), resolve);
    });
  }
}
