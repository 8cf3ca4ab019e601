import { flag, list, natural, object, oneOf, text, texts, time, whole } from './shape.js';

/** The fields of a consumer's configuration, in the order in which nats-server writes them. */
const consumerFields = {
  durable_name: text,
  name: text,
  description: text,
  deliver_policy: oneOf('all', 'last', 'new', 'by_start_sequence', 'by_start_time', 'last_per_subject'),
  opt_start_seq: natural,
  opt_start_time: time,
  ack_policy: oneOf('none', 'all', 'explicit', 'flow_control'),
  ack_wait: whole,
  max_deliver: whole,
  backoff: list(whole),
  filter_subject: text,
  filter_subjects: list(text),
  replay_policy: oneOf('instant', 'original'),
  rate_limit_bps: natural,
  sample_freq: text,
  max_waiting: whole,
  max_ack_pending: whole,
  flow_control: flag,
  headers_only: flag,
  max_batch: whole,
  max_expires: whole,
  max_bytes: whole,
  deliver_subject: text,
  deliver_group: text,
  idle_heartbeat: whole,
  inactive_threshold: whole,
  num_replicas: whole,
  mem_storage: flag,
  direct: flag,
  sourcing: flag,
  metadata: texts,
  pause_until: time,
  priority_groups: list(text),
  priority_policy: oneOf('none', 'overflow', 'pinned_client', 'prioritized'),
  priority_timeout: whole,
} as const;

const consumerShape = object('ConsumerConfig', consumerFields);

/** A consumer's configuration as a request brings it. */
export type ConsumerRequest = ReturnType<typeof consumerShape>;

/** A consumer's configuration with its defaults: the JSON that is stored and answered. Durations are ns. */
export interface ConsumerConfig extends ConsumerRequest {
  deliver_policy: 'all' | 'last' | 'new' | 'by_start_sequence' | 'by_start_time' | 'last_per_subject';
  ack_policy: 'none' | 'all' | 'explicit' | 'flow_control';
  max_deliver: number;
  replay_policy: 'instant' | 'original';
  num_replicas: number;
}

export const createConsumerShape = object('CreateConsumerRequest', {
  stream_name: text,
  config: consumerShape,
  action: oneOf('', 'create', 'update'),
  pedantic: flag,
});

/** The same configuration with its fields in order, and without those that say nothing. */
export function inConsumerOrder(config: ConsumerConfig): ConsumerConfig {
  const ordered: Record<string, unknown> = {};
  for (const key of Object.keys(consumerFields) as (keyof ConsumerConfig)[]) {
    const value = config[key];
    if (value !== undefined && (ALWAYS.has(key) || !isEmpty(value))) ordered[key] = value;
  }
  return ordered as unknown as ConsumerConfig;
}

const ALWAYS: ReadonlySet<string> = new Set(['deliver_policy', 'ack_policy', 'replay_policy', 'num_replicas']);

function isEmpty(value: unknown): boolean {
  if (value === 0 || value === '' || value === false || value === 'none') return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
