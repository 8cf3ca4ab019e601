import { apiError } from './api-error.js';
import type { Consumer } from './consumer.js';
import { inConsumerOrder } from './consumer-config.js';
import { shownMetadata } from './metadata.js';
import type { Stream } from './stream.js';
import { inOrder } from './stream-config.js';
import { timeText } from './time.js';

/** Sequences that one answer may list. */
const SEQUENCES_MAX = 100_000;

/** What an answer about a stream may go into. */
export interface StateWishes {
  deletedDetails?: boolean;
  /** What stands where the subjects will. */
  subjects?: string | undefined;
}

export function streamInfo(stream: Stream, wishes: StateWishes = {}): object {
  const { config, createdMs, surroundings } = stream;
  return {
    config: inOrder({ ...config, metadata: shownMetadata(config.metadata) }),
    created: timeText(createdMs),
    state: streamState(stream, wishes),
    domain: surroundings.domain || undefined,
    ...stream.inflow?.info(),
    ts: timeText(stream.nowMs),
  };
}

export function streamState({ config, log, consumers }: Stream, wishes: StateWishes = {}): object {
  const { state } = log;
  return {
    messages: state.messages,
    bytes: state.bytes,
    first_seq: state.messages === 0 && state.lastSequence === 0 && !config.first_seq ? 0 : state.firstSequence,
    first_ts: state.messages === 0 ? timeText(0) : timeText(state.firstTimeMs, state.firstTimeNs),
    last_seq: state.lastSequence,
    last_ts: timeText(state.lastTimeMs, state.lastTimeNs),
    num_subjects: state.subjects || undefined,
    subjects: wishes.subjects,
    num_deleted: state.deleted || undefined,
    deleted: wishes.deletedDetails && state.deleted > 0 ? deletedOf(log) : undefined,
    lost: lostOf(log),
    consumer_count: [...consumers.values()].filter(({ config }) => !config.direct).length,
  };
}

function deletedOf(log: Stream['log']): number[] {
  const sequences: number[] = [];
  log.deleted((first, last) => {
    for (let sequence = first; sequence <= last; sequence++) {
      if (sequences.length >= SEQUENCES_MAX) throw apiError('streamInfoMaxSubjects');
      sequences.push(sequence);
    }
    return true;
  });
  return sequences;
}

function lostOf(log: Stream['log']): object | undefined {
  if (log.damages.length === 0) return undefined;
  const msgs: number[] = [];
  for (const { firstSequence, lastSequence } of log.damages)
    for (let sequence = firstSequence; sequence <= lastSequence && msgs.length < SEQUENCES_MAX; sequence++)
      msgs.push(sequence);
  return { msgs, bytes: log.damages.reduce((sum, { bytes }) => sum + bytes, 0) };
}

export function consumerInfo(consumer: Consumer): object {
  const { config, ledger, feed, owner, createdMs, pausedUntilMs } = consumer;
  const { clock } = owner.surroundings;
  const position = ({ consumer: own, stream }: typeof ledger.delivered, lastMs: number) => ({
    consumer_seq: own,
    stream_seq: stream,
    last_active: lastMs > 0 ? timeText(lastMs) : undefined,
  });
  const groups = consumer.pull?.pin.groups(config.priority_groups) ?? [];
  return {
    stream_name: owner.config.name,
    name: consumer.name,
    created: timeText(createdMs),
    config: inConsumerOrder({ ...config, metadata: shownMetadata(config.metadata) }),
    delivered: position(ledger.delivered, consumer.deliveredMs),
    ack_floor: position(ledger.floor, consumer.ackedMs),
    num_ack_pending: ledger.pending.size,
    num_redelivered: ledger.redeliveries.size,
    num_waiting: consumer.pull?.waiting ?? 0,
    num_pending: feed.unseen,
    push_bound: consumer.push?.active || undefined,
    paused: pausedUntilMs > 0 || undefined,
    pause_remaining: pausedUntilMs > 0 ? (pausedUntilMs - clock.nowMs()) * 1e6 : undefined,
    ts: timeText(clock.nowMs()),
    priority_groups: groups.length > 0 ? groups : undefined,
  };
}
