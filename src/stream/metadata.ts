import { API_LEVEL, VERSION } from '../base/version.js';
import type { ConsumerConfig } from './consumer-config.js';
import type { StreamConfig } from './stream-config.js';

const REQUIRED = '_nats.req.level';
const SERVER_VERSION = '_nats.ver';
const SERVER_LEVEL = '_nats.level';

type Metadata = Record<string, string>;

/** The metadata that is stored: what the user gave, and the API level that the configuration asks for. */
export function storedStreamMetadata(config: StreamConfig): Metadata {
  const { allow_msg_counter, allow_atomic, allow_msg_schedules, persist_mode, allow_batched } = config;
  const second = allow_msg_counter || allow_atomic || allow_msg_schedules || persist_mode === 'async';
  const first = config.allow_msg_ttl || (config.subject_delete_marker_ttl ?? 0) > 0;
  const named = [config.mirror, ...(config.sources ?? [])].some((source) => source?.consumer !== undefined);
  return stored(config.metadata, allow_batched || named ? 4 : second ? 2 : first ? 1 : 0);
}

export function storedConsumerMetadata(config: ConsumerConfig): Metadata {
  const { pause_until, priority_policy, priority_timeout, priority_groups } = config;
  const groups = (priority_policy ?? 'none') !== 'none' || (priority_timeout ?? 0) !== 0 || priority_groups?.length;
  const pauses = pause_until !== undefined && !pause_until.startsWith('0001-01-01T00:00:00');
  const byFlow = config.ack_policy === 'flow_control' || config.sourcing;
  return stored(config.metadata, byFlow ? 4 : groups || pauses ? 1 : 0);
}

function stored(given: Metadata = {}, level: number): Metadata {
  const { [SERVER_VERSION]: _version, [SERVER_LEVEL]: _level, ...own } = given;
  return { ...own, [REQUIRED]: String(level) };
}

/** The metadata as it is answered: also what this server is. */
export function shownMetadata(metadata: Metadata = {}): Metadata {
  return { ...metadata, [SERVER_VERSION]: VERSION, [SERVER_LEVEL]: String(API_LEVEL) };
}
