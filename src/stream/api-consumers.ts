import { apiError } from './api-error.js';
import { type ApiRequest, expectEmpty, isEmpty, isStructured, jsonOf, type Operation, page } from './api-request.js';
import type { Consumer } from './consumer.js';
import { type ConsumerRequest, createConsumerShape } from './consumer-config.js';
import { createConsumer, getConsumer, pauseConsumer, resetConsumer } from './consumers.js';
import { HEADER, headerBlock } from './headers.js';
import { natural, object, text, time, whole } from './shape.js';
import type { Stream } from './stream.js';
import { consumerInfo } from './stream-info.js';
import { isNever, NEVER } from './time.js';

const NAMES_MAX = 1024;
const LIST_MAX = 256;
const SUFFIX_LENGTH = 8;

const NOWHERE = { total: 0, offset: 0, limit: 0, consumers: [] };

const pageShape = object('ConsumersRequest', { offset: whole });
const pauseShape = object('ConsumerPauseRequest', { pause_until: time });
const resetShape = object('ConsumerResetRequest', { seq: natural });
const unpinShape = object('ConsumerUnpinRequest', { group: text });

/** How a consumer is asked for: with a name, without one, or as durable in the old way. */
type Way = 'named' | 'ephemeral' | 'durable';

function creation(way: Way): (request: ApiRequest) => Promise<object> {
  return async (request) => {
    const { stream_name, config = {}, action = '', pedantic = false } = jsonOf(request, createConsumerShape);
    const [streamName, name = '', ...filter] = request.args;
    if (streamName !== stream_name) throw apiError('streamMismatch');
    if (/[\\/]/.test(name)) throw apiError('consumerNameContainsPathSeparators');
    checkNames(way, name, config);
    if (name !== '') config.name = name;
    if (filter.length > 0) checkFilter(filter.join('.'), config);
    if ((config.num_replicas ?? 0) > 1) throw apiError('streamReplicasNotSupported');
    const stream = request.streams.get(streamName);
    const follows = config.direct || config.sourcing;
    if (follows) checkIdentity(request, stream);
    const known = config.direct && config.sourcing && config.name ? nameForSourcing(config, stream) : undefined;
    const consumer = await createConsumer(request.streams, stream, { config, action, pedantic });
    if (known !== undefined) resetConsumer(stream, consumer, 0);
    if (follows) tellIdentity(request, stream);
    return consumerInfo(consumer);
  };
}

/** Whoever goes on with a stream has to know when another one has its name: it would miss what is in it already. */
function checkIdentity({ headers }: ApiRequest, { identity }: Stream): void {
  const wanted = headers?.get(HEADER.streamIdentity) ?? '';
  if (wanted !== '' && wanted !== identity) throw apiError('consumerStreamIdentityMismatch', { msg: identity });
}

function tellIdentity(request: ApiRequest, { identity }: Stream): void {
  request.replyHeaders = headerBlock([[HEADER.streamIdentity, identity]]);
}

/**
 * Whoever takes messages for another stream asks by the same name each time. A stream that keeps messages until they are taken has to know
 * what was stored there; of any other each request gets a consumer of its own.
 */
function nameForSourcing(config: ConsumerRequest, stream: Stream): Consumer | undefined {
  const name = config.name!;
  if (stream.config.retention === 'limits') {
    config.name = `${name}-${stream.surroundings.newId(SUFFIX_LENGTH)}`;
    return undefined;
  }
  const durable = { durable_name: name, direct: false, ack_policy: 'flow_control' } as const;
  Object.assign(config, durable, { ack_wait: 0, max_deliver: 0, inactive_threshold: 0 });
  const known = stream.consumers.get(name);
  if (known === undefined) return undefined;
  // It goes on behind what was stored, whatever is asked for.
  const { deliver_policy, opt_start_seq, opt_start_time } = known.config;
  delete config.opt_start_seq;
  delete config.opt_start_time;
  Object.assign(config, { deliver_policy, ...(opt_start_seq === undefined ? {} : { opt_start_seq }) });
  if (opt_start_time !== undefined) config.opt_start_time = opt_start_time;
  return known;
}

function checkNames(way: Way, name: string, { durable_name = '' }: ConsumerRequest): void {
  if (way === 'ephemeral' && durable_name !== '') throw apiError('consumerEphemeralWithDurableName');
  if (way === 'durable' && durable_name === '') throw apiError('consumerDurableNameNotSet');
  if (way !== 'ephemeral' && durable_name !== '' && durable_name !== name)
    throw apiError('consumerDurableNameNotMatchSubject');
}

function checkFilter(filter: string, { filter_subject, filter_subjects = [] }: ConsumerRequest): void {
  if (filter_subjects.length > 0) throw apiError('consumerMultipleFiltersNotAllowed');
  if (filter_subject !== filter) throw apiError('consumerCreateFilterSubjectMismatch');
}

function consumerOf({ streams, args }: ApiRequest): { stream: Stream; consumer: Consumer } {
  const stream = streams.get(args[0]);
  return { stream, consumer: getConsumer(stream, args[1]) };
}

function info(request: ApiRequest): object {
  expectEmpty(request);
  return consumerInfo(consumerOf(request).consumer);
}

async function remove(request: ApiRequest): Promise<object> {
  expectEmpty(request);
  const { stream, consumer } = consumerOf(request);
  await stream.deleteConsumer(consumer);
  return { success: true };
}

function visible({ streams, args }: ApiRequest): Consumer[] {
  const consumers = [...streams.get(args[0]).consumers.values()].filter(({ config }) => !config.direct);
  return consumers.sort((one, other) => (one.name < other.name ? -1 : 1));
}

function names(request: ApiRequest): object {
  const { offset = 0 } = isEmpty(request) ? {} : jsonOf(request, pageShape);
  const { place, part } = page(visible(request), offset, NAMES_MAX);
  return { ...place, consumers: part.map(({ name }) => name) };
}

function list(request: ApiRequest): object {
  const { offset = 0 } = isEmpty(request) ? {} : jsonOf(request, pageShape);
  const { place, part } = page(visible(request), offset, LIST_MAX);
  return { ...place, consumers: part.map(consumerInfo) };
}

async function pause(request: ApiRequest): Promise<object> {
  const { pause_until } = isStructured(request) ? jsonOf(request, pauseShape) : {};
  const { stream, consumer } = consumerOf(request);
  await pauseConsumer(stream, consumer, isNever(pause_until) ? undefined : pause_until);
  const untilMs = consumer.pausedUntilMs;
  return {
    paused: untilMs > 0,
    pause_until: pause_until ?? NEVER,
    pause_remaining: untilMs > 0 ? (untilMs - stream.nowMs) * 1e6 : undefined,
  };
}

function unpin(request: ApiRequest): object {
  const { group = '' } = isEmpty(request) ? {} : jsonOf(request, unpinShape);
  if (group === '') throw apiError('invalidJson', { err: 'consumer group not specified' });
  const { consumer } = consumerOf(request);
  if (consumer.config.priority_policy !== 'pinned_client' || !consumer.config.priority_groups?.includes(group))
    throw apiError('consumerInvalidPriorityGroup');
  consumer.pull?.pin.release('admin');
  return {};
}

function reset(request: ApiRequest): object {
  const { seq = 0 } = isEmpty(request) ? {} : jsonOf(request, resetShape);
  const { stream, consumer } = consumerOf(request);
  const sequence = resetConsumer(stream, consumer, seq);
  if (request.headers?.has(HEADER.streamIdentity)) tellIdentity(request, stream);
  return { ...consumerInfo(consumer), reset_seq: sequence };
}

/** Operations on consumers. */
export const CONSUMER_OPERATIONS: readonly Operation[] = [
  { name: 'CONSUMER.DURABLE.CREATE', args: [2, 2], type: 'consumer_create', handle: creation('durable') },
  { name: 'CONSUMER.CREATE', args: [1, 1], type: 'consumer_create', handle: creation('ephemeral') },
  { name: 'CONSUMER.CREATE', args: [2, Number.POSITIVE_INFINITY], type: 'consumer_create', handle: creation('named') },
  { name: 'CONSUMER.INFO', args: [2, 2], type: 'consumer_info', handle: info },
  { name: 'CONSUMER.DELETE', args: [2, 2], type: 'consumer_delete', handle: remove },
  { name: 'CONSUMER.NAMES', args: [1, 1], type: 'consumer_names', always: NOWHERE, handle: names },
  { name: 'CONSUMER.LIST', args: [1, 1], type: 'consumer_list', always: NOWHERE, handle: list },
  {
    name: 'CONSUMER.PAUSE',
    args: [2, 2],
    type: 'consumer_pause',
    always: { paused: false, pause_until: NEVER },
    handle: pause,
  },
  {
    name: 'CONSUMER.RESET',
    args: [2, 2],
    type: 'consumer_reset',
    always: { reset_seq: 0 },
    handle: reset,
  },
  { name: 'CONSUMER.UNPIN', args: [2, 2], type: 'consumer_unpin', handle: unpin },
];
