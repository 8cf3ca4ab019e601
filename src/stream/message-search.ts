import { utf8 } from '../base/bytes.js';
import { LogFilter } from '../storage/log-filter.js';
import { type MessageLog, StoredMessage } from '../storage/message-log.js';
import { hasWildcard } from '../subject/subject.js';
import { flag, list, natural, object, text, time, whole } from './shape.js';
import { parseTime } from './time.js';

export const messageGetShape = object('MsgGetRequest', {
  seq: natural,
  last_by_subj: text,
  next_by_subj: text,
  batch: whole,
  max_bytes: whole,
  start_time: time,
  multi_last: list(text),
  up_to_seq: natural,
  up_to_time: time,
  no_hdr: flag,
});

/** Which message is wanted. */
export type MessageWish = ReturnType<typeof messageGetShape>;

/** Whether a wish for one message says what contradicts itself, or nothing. */
export function isContradictory(wish: MessageWish): boolean {
  const { seq = 0, last_by_subj = '', next_by_subj = '', start_time } = wish;
  const nothing = seq === 0 && last_by_subj === '' && next_by_subj === '' && start_time === undefined;
  const starts = Number(seq > 0) + Number(last_by_subj !== '') + Number(start_time !== undefined);
  return nothing || starts > 1 || (last_by_subj !== '' && next_by_subj !== '');
}

/** The first sequence that a wish allows. */
export function startSequence(log: MessageLog, { seq = 0, start_time }: MessageWish): number {
  return start_time === undefined ? seq : log.sequenceAtTime(parseTime(start_time));
}

/** Finds the message that is wanted, or null. */
export function findMessage(log: MessageLog, wish: MessageWish): StoredMessage | null {
  const found = new StoredMessage();
  const { last_by_subj = '', next_by_subj = '' } = wish;
  if (last_by_subj !== '') return findLast(log, last_by_subj, found) ? found : null;
  const from = startSequence(log, wish);
  if (next_by_subj === '') return log.read(from, found) ? found : null;
  return log.next(from, filterOf(next_by_subj), found) ? found : null;
}

/** The last message of a subject, or of all that a filter matches. */
function findLast(log: MessageLog, filter: string, found: StoredMessage): boolean {
  if (hasWildcard(filter)) return log.previous(log.state.lastSequence, filterOf(filter), found);
  const state = log.subject(utf8(filter));
  return state !== null && log.read(state.lastSequence, found);
}

/** Null is everything. */
export function filterOf(filter: string): LogFilter | null {
  return filter === '' || filter === '>' ? null : LogFilter.of([filter]);
}
