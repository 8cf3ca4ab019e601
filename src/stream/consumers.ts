import { isDeepStrictEqual } from 'node:util';
import { apiError } from './api-error.js';
import { Consumer } from './consumer.js';
import { type ConsumerConfig, type ConsumerRequest, inConsumerOrder } from './consumer-config.js';
import { completeConsumer, filtersOf, isPartition, whyNotUpdate } from './consumer-rules.js';
import { storedConsumerMetadata } from './metadata.js';
import { NAME_LENGTH_MAX } from './names.js';
import type { Stream } from './stream.js';
import type { StoredConsumer } from './stream-store.js';
import type { Streams } from './streams.js';
import { parseTime } from './time.js';

const EPHEMERAL_NAME_LENGTH = 8;

/** What a request for a consumer asks for. */
export interface ConsumerWish {
  config: ConsumerRequest;
  action: '' | 'create' | 'update';
  pedantic: boolean;
}

/** The consumer; throws an `ApiError` when there is none. */
export function getConsumer(stream: Stream, name: string): Consumer {
  const consumer = stream.consumers.get(name);
  if (consumer === undefined) throw apiError('consumerNotFound');
  return consumer;
}

/** Makes a consumer, or goes on with the one of this name under another configuration. */
export async function createConsumer(streams: Streams, stream: Stream, wish: ConsumerWish): Promise<Consumer> {
  const { ackPendingMax, requestBatchMax } = streams.limits;
  const config = completeConsumer(wish.config, {
    stream: stream.config,
    pedantic: wish.pedantic,
    maxAckPending: ackPendingMax,
    maxRequestBatch: requestBatchMax,
  });
  config.metadata = storedConsumerMetadata(config);
  const given = config.durable_name || config.name || '';
  if (given.length > NAME_LENGTH_MAX) throw apiError('consumerNameTooLong', { max: NAME_LENGTH_MAX });
  const old = stream.consumers.get(given);
  if (old !== undefined) return updateConsumer(stream, old, { ...wish, config });
  if (wish.action === 'update') throw apiError('consumerDoesNotExist');
  checkRoom(streams, stream, config);
  if (stream.config.retention === 'workqueue' && counts(config)) checkWorkQueue(stream, config, '');
  const name = given || streams.newId(EPHEMERAL_NAME_LENGTH);
  if (given !== '') config.name = name;
  const ordered = inConsumerOrder(config);
  const consumer = new Consumer(stream, { name, config: ordered, createdMs: stream.nowMs, state: null });
  stream.addConsumer(consumer);
  try {
    await save(stream, consumer, ordered);
  } catch (error) {
    // Asked for again it is made again: one that was not written down would be gone after a restart.
    stream.dropConsumer(consumer);
    throw error;
  }
  stream.adviseConsumer(name, 'CREATED', 'create');
  if (consumer.pausedUntilMs > 0) consumer.advisePause();
  // Whoever asked hears of it before the first message comes.
  setImmediate(() => consumer.wake());
  return consumer;
}

/** Brings back a consumer that was written down. What became of messages since then is told by the log. */
export function restoreConsumer(stream: Stream, stored: StoredConsumer): void {
  const consumer = new Consumer(stream, stored);
  stream.store.watch(consumer.name, () => consumer.ledger.state());
  stream.addConsumer(consumer);
  consumer.wake();
}

/** A consumer outlives the process unless its configuration, or the stream's, is only for memory. */
async function save(stream: Stream, { name, createdMs, ledger }: Consumer, config: ConsumerConfig): Promise<void> {
  if (config.mem_storage || config.direct) return;
  await stream.store.saveConsumer({ name, config, createdMs }, () => ledger.state());
}

async function updateConsumer(
  stream: Stream,
  old: Consumer,
  { config, action }: { config: ConsumerConfig; action: ConsumerWish['action'] },
): Promise<Consumer> {
  config.name = old.name;
  const ordered = inConsumerOrder(config);
  const same = isDeepStrictEqual(ordered, inConsumerOrder(old.config));
  if (action === 'create' && !same) throw apiError('consumerAlreadyExists');
  if (same) return old;
  if (stream.config.retention === 'workqueue') checkWorkQueue(stream, config, old.name);
  const refusal = whyNotUpdate(old.config, config);
  if (refusal !== null) throw apiError('consumerCreate', { err: refusal });
  const moves = old.config.deliver_subject !== config.deliver_subject;
  if (moves && old.push?.active) throw apiError('consumerNameExist');
  const paused = old.pausedUntilMs;
  await save(stream, old, ordered);
  checkPresence(old);
  old.configure(ordered);
  if (old.pausedUntilMs !== paused) old.advisePause();
  return old;
}

/** It may have been deleted meanwhile. */
function checkPresence(consumer: Consumer): void {
  if (consumer.closed) throw apiError('consumerNotFound');
}

/** Pauses a consumer until then, or lets it go on. */
export async function pauseConsumer(stream: Stream, consumer: Consumer, until: string | undefined): Promise<void> {
  const { pause_until: _, ...rest } = consumer.config;
  const config = inConsumerOrder({ ...rest, ...(until === undefined ? {} : { pause_until: until }) });
  config.metadata = storedConsumerMetadata(config);
  await save(stream, consumer, config);
  checkPresence(consumer);
  consumer.configure(config);
  consumer.advisePause();
}

/** Starts a consumer over, at a sequence or, with 0, behind what was acknowledged; returns where. Throws an `ApiError`. */
export function resetConsumer(stream: Stream, consumer: Consumer, wanted: number): number {
  const { deliver_policy: policy, opt_start_seq = 0, opt_start_time } = consumer.config;
  const refuse = (err: string) => apiError('consumerInvalidReset', { err });
  const sequence = wanted === 0 ? consumer.ledger.floor.stream + 1 : wanted;
  if (wanted !== 0 && policy !== 'all') {
    if (policy === 'by_start_sequence') {
      if (wanted < opt_start_seq) throw refuse('below start seq');
    } else if (policy === 'by_start_time') {
      if (wanted < stream.log.sequenceAtTime(parseTime(opt_start_time!))) throw refuse('below start time');
    } else throw refuse('not allowed');
  }
  consumer.reset(sequence);
  stream.dropUnneeded();
  return sequence;
}

/** Consumers that other streams take messages with are not among those that a stream may have. */
function counts({ direct, sourcing }: ConsumerConfig): boolean {
  return !direct && !sourcing;
}

function checkRoom(streams: Streams, stream: Stream, config: ConsumerConfig): void {
  if (!counts(config)) return;
  const own = stream.config.max_consumers;
  const { consumersMax } = streams.limits;
  const max = own <= 0 || (consumersMax > 0 && consumersMax < own) ? consumersMax : own;
  const there = [...stream.consumers.values()].filter((other) => counts(other.config)).length;
  if (max > 0 && there >= max) throw apiError('maximumConsumersLimit');
}

function checkWorkQueue(stream: Stream, config: ConsumerConfig, name: string): void {
  if (config.ack_policy !== 'explicit' && config.ack_policy !== 'flow_control')
    throw apiError('consumerWqRequiresExplicitAck');
  if (config.deliver_policy !== 'all') throw apiError('consumerWqConsumerNotDeliverAll');
  const others = [...stream.consumers.values()].filter((other) => other.name !== name && counts(other.config));
  if (others.length === 0) return;
  const filters = filtersOf(config);
  if (filters.length === 0) throw apiError('consumerWqMultipleUnfiltered');
  if (
    !isPartition(
      filters,
      others.map((other) => other.filters),
    )
  )
    throw apiError('consumerWqConsumerNotUnique');
}
