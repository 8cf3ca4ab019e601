import type { MessageLog, PurgeOptions } from '../storage/message-log.js';
import type { StreamConfig } from './stream-config.js';

/** What one turn of the event loop has time for: some 3 ms. */
export const PART_MESSAGES = 1000;

interface Swept {
  readonly config: Readonly<StreamConfig>;
  readonly log: MessageLog;
  readonly closed: boolean;
}

/** Removes messages, a part in each turn; what is stored meanwhile stays. Resolves with how many went. */
export async function sweep(stream: Swept, { filter = null, before, keep = 0 }: PurgeOptions): Promise<number> {
  const { log } = stream;
  const end = Math.min(before ?? Number.MAX_SAFE_INTEGER, log.state.lastSequence + 1);
  const options = { filter, before: end };
  // Counted anew in each turn: others remove messages, too.
  const tooMany = () => (keep > 0 ? log.count(filter, 0) - log.count(filter, end) - keep : PART_MESSAGES);
  const cursor = { from: 0 };
  let purged = 0;
  for (let most = tooMany(); most > 0; most = tooMany()) {
    purged += log.purgePart(options, cursor, most);
    if (cursor.from >= end) break;
    await nextTurn();
    if (stream.closed) break;
  }
  return purged;
}

/** Whether there may be messages beyond the limits once these follow those of before. */
export function isLowered(before: Readonly<StreamConfig>, next: Readonly<StreamConfig>): boolean {
  const limits = ['max_msgs', 'max_bytes', 'max_msgs_per_subject'] as const;
  return limits.some((limit) => next[limit] > 0 && (before[limit] <= 0 || next[limit] < before[limit]));
}

/** Removes what is beyond the limits, a part in each turn. `perSubjectBefore`: how many messages a subject might have until now. */
export async function sweepLimits(stream: Swept, perSubjectBefore: number): Promise<void> {
  const { log, config } = stream;
  const perSubject = config.max_msgs_per_subject;
  const isLower = perSubject > 0 && (perSubjectBefore <= 0 || perSubject < perSubjectBefore);
  const end = log.state.lastSequence;
  for (const cursor = { from: 0 }; isLower && cursor.from <= end; ) {
    log.trimSubjectsPart(perSubject, cursor);
    await nextTurn();
    if (stream.closed) return;
  }
  while (trim(log, config, PART_MESSAGES) === PART_MESSAGES) {
    await nextTurn();
    if (stream.closed) return;
  }
}

/** Removes the oldest messages beyond the limits, no more than `most`; returns how many went. */
export function trim(log: MessageLog, { max_msgs, max_bytes }: Readonly<StreamConfig>, most?: number): number {
  const { state } = log;
  let gone = 0;
  if (max_msgs > 0 && state.messages > max_msgs) gone = log.trimMessages(max_msgs, most);
  if (max_bytes > 0 && state.bytes > max_bytes) gone = Math.max(gone, log.trimBytes(max_bytes, most));
  return gone;
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
