import { flag, list, natural, object, oneOf, type Shape, smallWhole, text, texts, time, whole } from './shape.js';

const transform = object('SubjectTransformConfig', { src: text, dest: text });

const source = object('StreamSource', {
  name: text,
  opt_start_seq: natural,
  opt_start_time: time,
  filter_subject: text,
  subject_transforms: list(transform),
  external: object('ExternalStream', { api: text, deliver: text }),
  consumer: object('StreamConsumerSource', { name: text, deliver_subject: text }),
});

/** The fields of a stream's configuration, in the order in which nats-server writes them. */
export const streamFields = {
  name: text,
  description: text,
  subjects: list(text),
  retention: oneOf('limits', 'interest', 'workqueue'),
  max_consumers: whole,
  max_msgs: whole,
  max_bytes: whole,
  max_age: whole,
  max_msgs_per_subject: whole,
  max_msg_size: smallWhole,
  discard: oneOf('old', 'new'),
  storage: oneOf('file', 'memory'),
  num_replicas: whole,
  no_ack: flag,
  duplicate_window: whole,
  placement: object('Placement', { cluster: text, tags: list(text), preferred: text }),
  mirror: source,
  sources: list(source),
  compression: oneOf('none', 's2'),
  first_seq: natural,
  subject_transform: transform,
  republish: object('RePublish', { src: text, dest: text, headers_only: flag }),
  allow_direct: flag,
  mirror_direct: flag,
  discard_new_per_subject: flag,
  sealed: flag,
  deny_delete: flag,
  deny_purge: flag,
  allow_rollup_hdrs: flag,
  consumer_limits: object('StreamConsumerLimits', { inactive_threshold: whole, max_ack_pending: whole }),
  allow_msg_ttl: flag,
  subject_delete_marker_ttl: whole,
  allow_msg_counter: flag,
  allow_atomic: flag,
  allow_msg_schedules: flag,
  persist_mode: oneOf('', 'default', 'async'),
  allow_batched: flag,
  metadata: texts,
} as const;

const streamShape = object('StreamConfig', streamFields);

/** A stream's configuration as a request brings it. */
export type StreamRequest = ReturnType<typeof streamShape>;

/** Where a mirror or a source takes its messages from. */
export type SourceConfig = ReturnType<typeof source>;
export type TransformConfig = ReturnType<typeof transform>;

/** A stream's configuration with its defaults: the very JSON that is stored and answered, hence its spelling. Durations are ns. */
export interface StreamConfig extends StreamRequest {
  name: string;
  retention: 'limits' | 'interest' | 'workqueue';
  max_consumers: number;
  max_msgs: number;
  max_bytes: number;
  max_age: number;
  max_msgs_per_subject: number;
  max_msg_size: number;
  discard: 'old' | 'new';
  storage: 'file' | 'memory';
  num_replicas: number;
  compression: 'none' | 's2';
  allow_direct: boolean;
  mirror_direct: boolean;
  sealed: boolean;
  deny_delete: boolean;
  deny_purge: boolean;
  allow_rollup_hdrs: boolean;
  consumer_limits: { inactive_threshold?: number; max_ack_pending?: number };
  allow_msg_ttl: boolean;
}

export const createStreamShape: Shape<StreamRequest & { pedantic?: boolean }> = object('StreamConfig', {
  ...streamFields,
  pedantic: flag,
});

/** The same configuration with its fields in order, and without those that say nothing, as nats-server leaves them out. */
export function inOrder(config: StreamConfig): StreamConfig {
  const ordered: Record<string, unknown> = {};
  for (const key of Object.keys(streamFields) as (keyof StreamConfig)[]) {
    const value = config[key];
    if (value !== undefined && (ALWAYS.has(key) || !isEmpty(value)))
      ordered[key] = PARTS.has(key) ? tidied(value) : value;
  }
  return ordered as unknown as StreamConfig;
}

/** Fields whose value has fields of its own. */
const PARTS: ReadonlySet<string> = new Set(['placement', 'mirror', 'sources', 'republish', 'consumer_limits']);
/** Of those, what is written even when it says nothing. */
const ALWAYS_WITHIN: ReadonlySet<string> = new Set(['name', 'src', 'dest', 'api', 'deliver']);

function tidied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidied);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key, inner]) => ALWAYS_WITHIN.has(key) || !isEmpty(inner));
  return Object.fromEntries(kept.map(([key, inner]) => [key, tidied(inner)]));
}

const ALWAYS: ReadonlySet<string> = new Set([
  ...['name', 'retention', 'max_consumers', 'max_msgs', 'max_bytes', 'max_age', 'max_msgs_per_subject', 'discard'],
  ...['storage', 'num_replicas', 'compression', 'allow_direct', 'mirror_direct', 'sealed', 'deny_delete', 'deny_purge'],
  ...['allow_rollup_hdrs', 'consumer_limits', 'allow_msg_ttl'],
]);

function isEmpty(value: unknown): boolean {
  if (value === 0 || value === '' || value === false || value === 'default') return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
