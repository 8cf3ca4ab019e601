import { anyOverlap, FilterSet } from '../subject/filter-set.js';
import { filterCovers, hasWildcard, isFilter } from '../subject/subject.js';
import { type ApiError, apiError, invalidConfig, pedantic as pedanticError } from './api-error.js';
import type { ConsumerConfig, ConsumerRequest } from './consumer-config.js';
import { DESCRIPTION_LENGTH_MAX, isName, METADATA_LENGTH_MAX, metadataLength } from './names.js';
import type { StreamConfig } from './stream-config.js';

/** What a configuration is checked against; limits of 0 or less are none. */
export interface ConsumerContext {
  stream: StreamConfig;
  pedantic: boolean;
  maxAckPending: number;
  maxRequestBatch: number;
}

const MS = 1_000_000;
const ACK_WAIT = 30_000 * MS;
const WAITING_MAX = 512;
const ACK_PENDING_MAX = 1000;
/** How long an ephemeral consumer may be unused unless its configuration says. */
const UNUSED_MAX = 5_000 * MS;
const PINNED_TTL = 120_000 * MS;
/** Of consumers whose acknowledgements are answers to flow control. */
const FLOW_HEARTBEAT = 1_000 * MS;

/** The consumer's subject filters; none is everything. */
export function filtersOf({ filter_subject, filter_subjects }: ConsumerRequest): string[] {
  return filter_subject ? [filter_subject] : (filter_subjects ?? []);
}

/** Fills in defaults and checks everything, in nats-server's order; throws an `ApiError`. */
export function completeConsumer(request: ConsumerRequest, context: ConsumerContext): ConsumerConfig {
  const config = withDefaults(request, context);
  checkNames(config, context.stream);
  checkAcks(config);
  if (config.ack_policy === 'flow_control') checkFlowAcks(config);
  checkBackoff(config);
  if (config.deliver_subject) checkPush(config, context.stream);
  else checkPull(config, context);
  checkLimits(config, context);
  checkFilters(config);
  checkStart(config);
  checkRest(config);
  checkPriority(config);
  return config;
}

const NOT_NEGATIVE = [
  ...['max_waiting', 'max_batch', 'max_expires', 'max_bytes', 'idle_heartbeat', 'inactive_threshold'],
  'priority_timeout',
] as ('max_waiting' | 'max_batch' | 'max_expires')[];

function withDefaults(request: ConsumerRequest, context: ConsumerContext): ConsumerConfig {
  const { stream, pedantic, maxAckPending, maxRequestBatch } = context;
  const config: ConsumerConfig = {
    ...request,
    deliver_policy: request.deliver_policy ?? 'all',
    ack_policy: request.ack_policy ?? 'none',
    max_deliver: request.max_deliver || -1,
    replay_policy: request.replay_policy ?? 'instant',
    num_replicas: request.num_replicas ?? 0,
  };
  if (config.max_deliver < -1) {
    if (pedantic) throw pedanticError('max_deliver must be set to -1');
    config.max_deliver = -1;
  }
  if ((config.max_ack_pending ?? 0) < -1) {
    if (pedantic) throw pedanticError('max_ack_pending must be set to -1');
    config.max_ack_pending = -1;
  }
  for (const key of NOT_NEGATIVE) {
    if ((config[key] ?? 0) >= 0) continue;
    if (pedantic) throw pedanticError(`${key} must not be negative`);
    config[key] = 0;
  }
  if (!config.deliver_subject && !config.max_waiting) config.max_waiting = WAITING_MAX;
  const isTimed = config.ack_policy === 'all' || config.ack_policy === 'explicit';
  if (!config.ack_wait && isTimed) config.ack_wait = ACK_WAIT;
  if (config.backoff !== undefined && config.backoff.length > 0) {
    if (pedantic && config.ack_wait !== config.backoff[0])
      throw pedanticError('first backoff value has to equal batch AckWait');
    config.ack_wait = config.backoff[0];
  }
  inheritLimits(config, stream, pedantic);
  if (!config.durable_name && !config.inactive_threshold) config.inactive_threshold = UNUSED_MAX;
  if (!config.max_ack_pending && config.ack_policy !== 'none')
    config.max_ack_pending = maxAckPending > 0 ? Math.min(maxAckPending, ACK_PENDING_MAX) : ACK_PENDING_MAX;
  if (!config.deliver_subject && !config.max_batch && maxRequestBatch > 0) config.max_batch = maxRequestBatch;
  if (config.priority_policy === 'pinned_client' && !config.priority_timeout) config.priority_timeout = PINNED_TTL;
  if (config.ack_policy === 'flow_control' && !pedantic) {
    config.flow_control = true;
    config.idle_heartbeat = FLOW_HEARTBEAT;
  }
  return config;
}

function inheritLimits(config: ConsumerConfig, { consumer_limits: limits }: StreamConfig, pedantic: boolean): void {
  for (const key of ['max_ack_pending', 'inactive_threshold'] as const) {
    const limit = limits[key] ?? 0;
    if (config[key] || limit <= 0) continue;
    if (pedantic) throw pedanticError(`${key} must be set if it's configured in stream limits`);
    config[key] = limit;
  }
}

function checkNames(config: ConsumerConfig, stream: StreamConfig): void {
  if (config.name && !isName(config.name))
    throw invalidConfig("consumer name can not contain '.', '*', '>', '\\', '/'");
  if (config.durable_name && !isName(config.durable_name))
    throw invalidConfig("consumer durable name can not contain '.', '*', '>', '\\', '/'");
  if (config.num_replicas > stream.num_replicas) throw apiError('consumerReplicasExceedsStream');
  if (config.num_replicas < 0) throw apiError('replicasCountCannotBeNegative');
}

function checkAcks({ backoff = [], ack_wait = 0 }: ConsumerConfig): void {
  if (backoff.some((wait) => wait < 0)) throw apiError('consumerBackOffNegative');
  if (ack_wait < 0) throw apiError('consumerAckWaitNegative');
}

/** Whoever takes messages says with its answer to a flow control request what it has stored. */
function checkFlowAcks(config: ConsumerConfig): void {
  const { max_ack_pending = 0, ack_wait = 0, backoff = [], max_deliver } = config;
  if (!config.deliver_subject) throw apiError('consumerAckFcRequiresPush');
  if (!config.flow_control) throw apiError('consumerAckFcRequiresFc');
  if (config.idle_heartbeat !== FLOW_HEARTBEAT) throw invalidConfig('flow control ack policy heartbeat needs to be 1s');
  if (max_ack_pending <= 0) throw apiError('consumerAckFcRequiresMaxAckPending');
  if (ack_wait !== 0 || backoff.length > 0) throw apiError('consumerAckFcRequiresNoAckWait');
  if (max_deliver > 0) throw apiError('consumerAckFcRequiresNoMaxDeliver');
}

function checkBackoff({ backoff = [], max_deliver, description = '' }: ConsumerConfig): void {
  if (backoff.length > 0 && max_deliver !== -1 && backoff.length > max_deliver)
    throw apiError('consumerMaxDeliverBackoff');
  if (Buffer.byteLength(description) > DESCRIPTION_LENGTH_MAX)
    throw apiError('consumerDescriptionTooLong', { max: DESCRIPTION_LENGTH_MAX });
}

function checkPush(config: ConsumerConfig, { subjects = [] }: StreamConfig): void {
  const subject = config.deliver_subject!;
  if (hasWildcard(subject)) throw apiError('consumerDeliverToWildcards');
  if (!isFilter(subject)) throw apiError('consumerInvalidDeliverSubject');
  if (subjects.some((filter) => filterCovers(filter, subject))) throw apiError('consumerDeliverCycle');
  if (config.max_waiting) throw apiError('consumerPushMaxWaiting');
  if ((config.max_ack_pending ?? 0) > 0 && config.ack_policy === 'none')
    throw apiError('consumerMaxPendingAckPolicyRequired');
  const heartbeat = config.idle_heartbeat ?? 0;
  if (heartbeat > 0 && heartbeat < 100 * MS) throw apiError('consumerSmallHeartbeat');
}

function checkPull(config: ConsumerConfig, { stream, maxRequestBatch }: ConsumerContext): void {
  const { max_expires = 0, max_batch = 0 } = config;
  if (config.ack_policy === 'none' && stream.retention === 'workqueue') throw apiError('consumerPullRequiresAck');
  if (config.rate_limit_bps) throw apiError('consumerPullWithRateLimit');
  if (config.idle_heartbeat) throw apiError('consumerHbRequiresPush');
  if (config.flow_control) throw apiError('consumerFcRequiresPush');
  if (max_expires !== 0 && max_expires < MS) throw apiError('consumerMaxRequestExpiresTooSmall');
  if (maxRequestBatch > 0 && max_batch > maxRequestBatch)
    throw apiError('consumerMaxRequestBatchExceeded', { limit: maxRequestBatch });
}

function checkLimits(config: ConsumerConfig, { stream, maxAckPending }: ConsumerContext): void {
  const { max_ack_pending: pending = 0, inactive_threshold: threshold = 0 } = config;
  const limits = stream.consumer_limits;
  for (const limit of [maxAckPending, limits.max_ack_pending ?? 0])
    if (limit > 0 && pending > limit) throw apiError('consumerMaxPendingAckExcess', { limit });
  const inactive = limits.inactive_threshold ?? 0;
  if (inactive > 0 && threshold > inactive)
    throw apiError('consumerInactiveThresholdExcess', { limit: `${inactive / (1000 * MS)}s` });
  if (!config.direct) return;
  if (!config.deliver_subject) throw apiError('consumerDirectRequiresPush');
  if (config.durable_name) throw apiError('consumerDirectRequiresEphemeral');
}

function checkFilters(config: ConsumerConfig): void {
  const { filter_subject = '', filter_subjects = [] } = config;
  if (filter_subject !== '' && filter_subjects.length > 0) throw apiError('consumerDuplicateFilterSubjects');
  if (filter_subject !== '' && !isFilter(filter_subject)) throw invalidConfig('invalid subject');
  if (filter_subjects.includes('')) throw apiError('consumerEmptyFilter');
  const set = FilterSet.of(filter_subjects);
  for (const filter of filter_subjects) {
    if (!isFilter(filter)) throw invalidConfig('invalid subject');
    if (set.covers(filter)) throw apiError('consumerOverlappingSubjectFilters');
  }
}

function checkStart(config: ConsumerConfig): void {
  const { deliver_policy: policy, opt_start_seq: sequence = 0, opt_start_time: time } = config;
  const words = policy.replaceAll('_', ' ');
  const also = (what: string) => policyMistake(`deliver ${words}, but optional start ${what} is also set`);
  const missing = (what: string) => policyMistake(`deliver ${words}, but optional ${what} is not set`);
  if (policy === 'by_start_sequence') {
    if (sequence === 0) throw missing('start sequence');
    if (time !== undefined) throw also('time');
  } else if (policy === 'by_start_time') {
    if (time === undefined) throw missing('start time');
    if (sequence !== 0) throw also('start sequence');
  } else {
    if (sequence > 0) throw also('sequence');
    if (time !== undefined) throw also('time');
    if (policy === 'last_per_subject' && filtersOf(config).length === 0) throw missing('filter subject');
  }
}

function policyMistake(what: string): ApiError {
  return apiError('consumerInvalidPolicy', { err: `consumer delivery policy is ${what}` });
}

function checkRest(config: ConsumerConfig): void {
  const { sample_freq = '', durable_name = '', name = '' } = config;
  if (sample_freq !== '' && !/^\+?\d+%?$/.test(sample_freq))
    throw apiError('consumerInvalidSampling', { err: `${JSON.stringify(sample_freq)} is not a percentage` });
  if (config.flow_control && !config.idle_heartbeat) throw apiError('consumerWithFlowControlNeedsHeartbeats');
  if (durable_name !== '' && name !== '' && name !== durable_name)
    throw apiError('consumerCreateDurableAndNameMismatch');
  if (metadataLength(config.metadata) > METADATA_LENGTH_MAX)
    throw apiError('consumerMetadataLength', { limit: `${METADATA_LENGTH_MAX / 1024}KB` });
}

const GROUP = /^[a-zA-Z0-9/_=-]{1,16}$/;

function checkPriority({ priority_policy = 'none', priority_groups: groups = [], ...config }: ConsumerConfig): void {
  if (priority_policy === 'none') {
    if (groups.length > 0) throw apiError('consumerPriorityGroupWithPolicyNone');
    if (config.priority_timeout) throw apiError('consumerPinnedTtlWithoutPriorityPolicyNone');
    return;
  }
  if (config.deliver_subject) throw apiError('consumerPushWithPriorityGroup');
  if (groups.length === 0) throw apiError('consumerPriorityPolicyWithoutGroup');
  for (const group of groups) {
    if (group === '') throw apiError('consumerEmptyGroupName');
    if (!GROUP.test(group)) throw apiError('consumerInvalidGroupName');
  }
}

/** Whether a consumer of a work queue has the subjects for itself: no other one's filters overlap. */
export function isPartition(filters: string[], others: Iterable<string[]>): boolean {
  for (const other of others) {
    if (filters.length === 0 || other.length === 0) return false;
    if (anyOverlap(filters, other)) return false;
  }
  return true;
}

const UPDATE_RULES: [keyof ConsumerConfig, string][] = [
  ['deliver_policy', 'deliver policy can not be updated'],
  ['mem_storage', 'storage type can not be updated'],
  ['direct', 'direct can not be updated'],
  ['opt_start_seq', 'start sequence can not be updated'],
  ['opt_start_time', 'start time can not be updated'],
  ['ack_policy', 'ack policy can not be updated'],
  ['replay_policy', 'replay policy can not be updated'],
  ['idle_heartbeat', 'heart beats can not be updated'],
  ['flow_control', 'flow control can not be updated'],
];

/** What forbids a consumer to change from one configuration to the other: a text, or null. */
export function whyNotUpdate(old: ConsumerConfig, next: ConsumerConfig): string | null {
  for (const [key, refusal] of UPDATE_RULES) if ((old[key] || 0) !== (next[key] || 0)) return refusal;
  if (!old.deliver_subject && next.deliver_subject) return 'can not update pull consumer to push based';
  if (old.deliver_subject && !next.deliver_subject) return 'can not update push consumer to pull based';
  return (old.max_waiting ?? 0) === (next.max_waiting ?? 0) ? null : 'max waiting can not be updated';
}
