import { FilterSet } from '../subject/filter-set.js';
import { filterCovers, filtersOverlap, isFilter } from '../subject/subject.js';
import { SubjectTransform, TransformMistake } from '../subject/transform.js';
import { apiError, invalidConfig, pedantic as pedanticError } from './api-error.js';
import { DESCRIPTION_LENGTH_MAX, isName, METADATA_LENGTH_MAX, metadataLength, NAME_LENGTH_MAX } from './names.js';
import { checkSources } from './source-rules.js';
import type { StreamConfig, StreamRequest } from './stream-config.js';

/** What a configuration is checked against. */
export interface StreamContext {
  /** Whether what would be mended is an error. */
  pedantic: boolean;
  /** Longest duplicate window in ns; 0 is no limit. */
  duplicateWindowMax: number;
  find(name: string): StreamConfig | undefined;
  /** Whether anything answers on a subject. */
  hasListener(subject: string): boolean;
  domain: string;
}

const REPLICAS_MAX = 5;
const MS = 1_000_000;
const DUPLICATE_WINDOW = 120_000 * MS;

/** Fills in defaults and checks everything, in nats-server's order; throws an `ApiError`. */
export function completeStream(request: StreamRequest, context: StreamContext): StreamConfig {
  checkTexts(request);
  checkReplicas(request);
  const config = withDefaults(request, context.pedantic);
  checkTimes(config, context);
  checkFlags(config, context.pedantic);
  checkSources(config, context);
  checkSubjects(config);
  checkTransforms(config, context.pedantic);
  if (config.placement !== undefined && Object.keys(config.placement).length === 0) delete config.placement;
  if (config.placement?.preferred) throw invalidConfig('preferred server not permitted in placement');
  return config;
}

const UNLIMITED = ['max_msgs', 'max_msgs_per_subject', 'max_bytes', 'max_msg_size', 'max_consumers'] as const;

function withDefaults(request: StreamRequest, pedantic: boolean): StreamConfig {
  const config = {
    ...request,
    name: request.name ?? '',
    retention: request.retention ?? 'limits',
    max_age: request.max_age ?? 0,
    discard: request.discard ?? 'old',
    storage: request.storage ?? 'file',
    num_replicas: request.num_replicas || 1,
    compression: request.compression ?? 'none',
    allow_direct: request.allow_direct ?? false,
    mirror_direct: request.mirror_direct ?? false,
    sealed: request.sealed ?? false,
    deny_delete: request.deny_delete ?? false,
    deny_purge: request.deny_purge ?? false,
    allow_rollup_hdrs: request.allow_rollup_hdrs ?? false,
    consumer_limits: request.consumer_limits ?? {},
    allow_msg_ttl: request.allow_msg_ttl ?? false,
  } as StreamConfig;
  for (const key of UNLIMITED) {
    const value = request[key] ?? 0;
    if (pedantic && value < -1) throw pedanticError(`${key} must be set to -1`);
    config[key] = value <= 0 && value !== -1 ? -1 : value;
  }
  return config;
}

function checkTexts({ name = '', description = '', metadata }: StreamRequest): void {
  if (!isName(name)) throw invalidConfig("stream name is required and can not contain '.', '*', '>', '\\', '/'");
  if (name.length > NAME_LENGTH_MAX)
    throw invalidConfig(`stream name is too long, maximum allowed is ${NAME_LENGTH_MAX}`);
  if (Buffer.byteLength(description) > DESCRIPTION_LENGTH_MAX)
    throw invalidConfig(`stream description is too long, maximum allowed is ${DESCRIPTION_LENGTH_MAX}`);
  if (metadataLength(metadata) > METADATA_LENGTH_MAX)
    throw invalidConfig(`stream metadata exceeds maximum size of ${METADATA_LENGTH_MAX} bytes`);
}

function checkReplicas({ num_replicas = 1 }: StreamRequest): void {
  if (num_replicas > REPLICAS_MAX) throw invalidConfig(`maximum replicas is ${REPLICAS_MAX}`);
  if (num_replicas < 0) throw apiError('replicasCountCannotBeNegative');
}

function checkTimes(config: StreamConfig, { pedantic, duplicateWindowMax }: StreamContext): void {
  const { max_age } = config;
  if (max_age < 0) throw invalidConfig('max age can not be negative');
  if (max_age !== 0 && max_age < 100 * MS) throw invalidConfig('max age needs to be >= 100ms');
  const copies = config.mirror !== undefined || (config.sources?.length ?? 0) > 0;
  if (!config.duplicate_window && !copies) {
    let widest = DUPLICATE_WINDOW;
    if (duplicateWindowMax > 0 && widest > duplicateWindowMax) {
      if (pedantic) throw pedanticError('duplicate window limits are higher than current limits');
      widest = duplicateWindowMax;
    }
    if (max_age !== 0 && max_age < widest) {
      if (pedantic) throw pedanticError('duplicate window cannot be bigger than max age');
      widest = max_age;
    }
    config.duplicate_window = widest;
  }
  const window = config.duplicate_window ?? 0;
  if (window < 0) throw invalidConfig('duplicates window can not be negative');
  if (max_age !== 0 && window > max_age) throw invalidConfig('duplicates window can not be larger then max age');
  if (duplicateWindowMax > 0 && window > duplicateWindowMax)
    throw invalidConfig(
      `duplicates window can not be larger then server limit of ${duplicateWindowMax / (1000 * MS)}s`,
    );
  if (window > 0 && window < 100 * MS) throw invalidConfig('duplicates window needs to be >= 100ms');
}

function checkFlags(config: StreamConfig, pedantic: boolean): void {
  if (config.deny_purge && config.allow_rollup_hdrs) throw invalidConfig('roll-ups require the purge permission');
  if (config.allow_msg_counter) checkCounter(config);
  if (config.discard_new_per_subject) {
    if (config.discard !== 'new') throw invalidConfig('discard new per subject requires discard new policy to be set');
    if (config.max_msgs_per_subject <= 0)
      throw invalidConfig('discard new per subject requires max msgs per subject > 0');
  }
  checkMarkers(config, pedantic);
  if (config.allow_msg_schedules) {
    if (config.discard === 'new') throw invalidConfig('message scheduling cannot use discard new');
    allowRollup(config, pedantic, 'message scheduling cannot be set if roll-ups are disabled');
  }
  if (config.persist_mode === 'async') {
    if (config.storage !== 'file') throw invalidConfig('async persist mode is only supported on file storage');
    if (config.num_replicas > 1) throw invalidConfig('async persist mode is not supported on replicated streams');
    if (config.allow_atomic) throw invalidConfig('async persist mode is not supported with atomic batch publish');
  }
}

function checkCounter({ discard, allow_msg_ttl, allow_msg_schedules, retention }: StreamConfig): void {
  if (discard === 'new') throw invalidConfig('counter stream cannot use discard new');
  if (allow_msg_ttl) throw invalidConfig('counter stream cannot use message TTLs');
  if (allow_msg_schedules) throw invalidConfig('counter stream cannot use message schedules');
  if (retention !== 'limits') throw invalidConfig('counter stream can only use limits retention');
}

function checkMarkers(config: StreamConfig, pedantic: boolean): void {
  const ttl = config.subject_delete_marker_ttl ?? 0;
  if (ttl < 0) throw invalidConfig('subject delete marker TTL must not be negative');
  if (ttl === 0) return;
  if (ttl < 1000 * MS) throw invalidConfig('subject delete marker TTL must be at least 1 second');
  if (!config.allow_msg_ttl && pedantic)
    throw invalidConfig('subject delete marker cannot be set if message TTLs are disabled');
  config.allow_msg_ttl = true;
  allowRollup(config, pedantic, 'subject delete marker cannot be set if roll-ups are disabled');
}

function allowRollup(config: StreamConfig, pedantic: boolean, refusal: string): void {
  if (config.allow_rollup_hdrs) return;
  if (pedantic) throw invalidConfig(refusal);
  config.allow_rollup_hdrs = true;
  config.deny_purge = false;
}

function checkSubjects(config: StreamConfig): void {
  const { subjects = [], mirror, sources = [], name } = config;
  if (subjects.length === 0) {
    if (mirror === undefined && sources.length === 0) config.subjects = [name];
    return;
  }
  if (mirror !== undefined) throw apiError('mirrorWithSubjects');
  const overlapping = firstOverlapping(subjects);
  subjects.forEach((subject, i) => {
    if (!isFilter(subject)) throw invalidConfig('invalid subject');
    checkReserved(subject, config);
    if (i !== overlapping) return;
    const other = subjects.slice(i + 1).find((later) => filtersOverlap(subject, later));
    throw invalidConfig(`subject ${JSON.stringify(subject)} overlaps with ${JSON.stringify(other)}`);
  });
}

/** The index of the first filter that overlaps with a later one; -1 for none. */
function firstOverlapping(filters: readonly string[]): number {
  const later = new FilterSet();
  let first = -1;
  for (let i = filters.length - 1; i >= 0; i--) {
    if (later.overlaps(filters[i])) first = i;
    later.add(filters[i]);
  }
  return first;
}

function checkReserved(subject: string, { no_ack, num_replicas }: StreamConfig): void {
  if (subject === '>') {
    if (!no_ack) throw invalidConfig('capturing all subjects requires no-ack to be true');
    if (num_replicas !== 1) throw invalidConfig('capturing all subjects requires replicas of 1');
  }
  if (no_ack) return;
  const api = ['$JS.>', '$JSC.>', '$NRG.>'].some((reserved) => filtersOverlap(subject, reserved));
  if (api && !filterCovers('$JS.EVENT.>', subject))
    throw invalidConfig('subjects that overlap with jetstream api require no-ack to be true');
  if (filtersOverlap(subject, '$SYS.>') && !filterCovers('$SYS.ACCOUNT.>', subject))
    throw invalidConfig('subjects that overlap with system api require no-ack to be true');
}

function checkTransforms(config: StreamConfig, pedantic: boolean): void {
  const { subject_transform: transform, republish, subjects = [] } = config;
  if (transform !== undefined) {
    const { src = '', dest = '' } = transform;
    if (src !== '' && !isFilter(src)) throw apiError('streamTransformInvalidSource', { err: `invalid subject ${src}` });
    const err = transformMistake(src, dest);
    if (err !== null) throw apiError('streamTransformInvalidDestination', { err });
  }
  if (republish === undefined) return;
  if (!republish.src) {
    if (pedantic) throw pedanticError('republish source can not be empty');
    republish.src = '>';
  }
  const { src, dest = '' } = republish;
  if (subjects.some((subject) => dest === '' || filtersOverlap(withoutFunctions(dest), subject)))
    throw invalidConfig('stream configuration for republish destination forms a cycle');
  if (transformMistake(src, dest) !== null)
    throw invalidConfig(`stream configuration for republish with transform from '${src}' to '${dest}' not valid`);
}

/** A destination as a filter of the subjects that it may lead to. */
function withoutFunctions(destination: string): string {
  return destination.replace(/\{\{[^}]*\}\}|\$\d+/g, '*');
}

/** What is wrong with a transform, or null. */
function transformMistake(source: string, destination: string): string | null {
  try {
    new SubjectTransform(source, destination);
    return null;
  } catch (error) {
    if (error instanceof TransformMistake) return error.message;
    throw error;
  }
}
