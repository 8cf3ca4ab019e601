import { anyTwoOverlap, FilterSet } from '../subject/filter-set.js';
import { filtersOverlap, isFilter, isLiteralSubject } from '../subject/subject.js';
import { SubjectTransform, TransformMistake } from '../subject/transform.js';
import { apiError, invalidConfig, pedantic as pedanticError } from './api-error.js';
import type { ErrorName } from './error-table.js';
import { isName } from './names.js';
import type { SourceConfig, StreamConfig, TransformConfig } from './stream-config.js';

interface SourceContext {
  pedantic: boolean;
  find(name: string): StreamConfig | undefined;
  /** Whether anything answers on a subject. */
  hasListener(subject: string): boolean;
  domain: string;
}

const API = '$JS.API';
/** The API of a domain. */
const DOMAIN = /^\$JS\.([^.]+)\.API$/;

/** Checks where a stream takes messages of other streams from; throws an `ApiError`. */
export function checkSources(config: StreamConfig, context: SourceContext): void {
  const { mirror, sources = [] } = config;
  if (mirror !== undefined) checkMirror(config, mirror, context);
  if (sources.length > 0 && config.allow_msg_schedules) throw apiError('sourceWithMsgSchedules');
  const names = new Set<string>();
  for (const source of sources) {
    if (!isName(source.name)) throw apiError('sourceInvalidStreamName');
    const identity = sourceIdentity(source);
    if (names.has(identity)) throw apiError('sourceDuplicateDetected');
    names.add(identity);
    checkSource(config, source, context);
  }
  for (const source of mirror === undefined ? sources : [mirror]) checkExternal(config, source, context);
  checkCycle(config, context);
}

/** What makes a source another one: its stream, where that is, and what is taken of it. */
function sourceIdentity({ name, external, consumer, filter_subject, subject_transforms = [] }: SourceConfig): string {
  const parts = subject_transforms.map(({ src, dest }) => `${src ?? ''}>${dest ?? ''}`);
  return JSON.stringify([name, external?.api ?? '', consumer?.name ?? '', filter_subject ?? '', parts]);
}

const FORBIDDEN: [keyof StreamConfig, ErrorName][] = [
  ['first_seq', 'mirrorWithFirstSeq'],
  ['subjects', 'mirrorWithSubjects'],
  ['sources', 'mirrorWithSources'],
  ['allow_msg_counter', 'mirrorWithCounters'],
  ['allow_atomic', 'mirrorWithAtomicPublish'],
  ['allow_batched', 'mirrorWithBatchPublish'],
  ['allow_msg_schedules', 'mirrorWithMsgSchedules'],
];

function checkMirror(config: StreamConfig, mirror: SourceConfig, { pedantic, find }: SourceContext): void {
  for (const [key, error] of FORBIDDEN) {
    const value = config[key];
    if (Array.isArray(value) ? value.length > 0 : value) throw apiError(error);
  }
  const { filter_subject = '', subject_transforms: transforms = [], external } = mirror;
  if (mirror.opt_start_seq && mirror.opt_start_time) throw apiError('mirrorWithStartSeqAndTime');
  if (filter_subject !== '' && transforms.length > 0) throw apiError('mirrorMultipleFiltersNotAllowed');
  if ((config.subject_delete_marker_ttl ?? 0) > 0) throw invalidConfig('subject delete markers forbidden on mirrors');
  checkTransforms(transforms, 'mirrorInvalidSubjectFilter', 'mirrorInvalidTransformDestination');
  if (anyTwoOverlap(filtersOf(transforms))) throw apiError('mirrorOverlappingSubjectFilters');
  if (external !== undefined) return;
  if (!isName(mirror.name)) throw apiError('mirrorInvalidStreamName');
  const origin = find(mirror.name!);
  if (origin === undefined) return;
  if (tooSmall(config, origin)) throw apiError('mirrorMaxMessageSizeTooBig');
  if (pedantic && config.mirror_direct !== origin.allow_direct)
    throw pedanticError('origin stream has direct get set, mirror has it disabled');
  config.mirror_direct = origin.allow_direct;
}

function checkSource(config: StreamConfig, source: SourceConfig, { find }: SourceContext): void {
  const { filter_subject = '', subject_transforms: transforms = [], external } = source;
  if (filter_subject !== '' && transforms.length > 0) throw apiError('sourceMultipleFiltersNotAllowed');
  checkTransforms(transforms, 'sourceInvalidSubjectFilter', 'sourceInvalidTransformDestination');
  const filters = filtersOf(transforms);
  const set = FilterSet.of(filters);
  if (filters.some((filter) => set.covers(filter))) throw apiError('sourceOverlappingSubjectFilters');
  const origin = external === undefined ? find(source.name!) : undefined;
  if (origin !== undefined && tooSmall(config, origin)) throw apiError('sourceMaxMessageSizeTooBig');
}

function tooSmall(config: StreamConfig, origin: StreamConfig): boolean {
  return config.max_msg_size > 0 && origin.max_msg_size > 0 && config.max_msg_size < origin.max_msg_size;
}

function checkTransforms(transforms: TransformConfig[], badSource: ErrorName, badDestination: ErrorName): void {
  for (const { src = '', dest = '' } of transforms) {
    if (src !== '' && !isFilter(src)) throw apiError(badSource, { err: `invalid subject ${src}` });
    try {
      new SubjectTransform(src, dest);
    } catch (error) {
      if (error instanceof TransformMistake) throw apiError(badDestination, { err: error.message });
      throw error;
    }
  }
}

function filtersOf(transforms: readonly TransformConfig[]): string[] {
  return transforms.map(({ src }) => src || '>');
}

function checkExternal(config: StreamConfig, source: SourceConfig, context: SourceContext): void {
  const { name, external, consumer } = source;
  const { find } = context;
  if (consumer !== undefined) {
    const { name: own, deliver_subject: subject = '' } = consumer;
    if (!isName(own)) throw invalidConfig('source consumer name must be a valid name');
    if (!isLiteralSubject(subject)) throw invalidConfig('source consumer deliver subject must be a valid subject');
  }
  if (external === undefined) return;
  if (!isName(name)) throw apiError(source === config.mirror ? 'mirrorInvalidStreamName' : 'sourceInvalidStreamName');
  const { api = '', deliver = '' } = external;
  if (deliver !== '') {
    if (!isLiteralSubject(deliver)) throw apiError('streamInvalidExternalDeliverySubj', { prefix: deliver });
    const taken = (config.sources ?? []).flatMap(({ name, external: away }) =>
      away === undefined ? (find(name!)?.subjects ?? []) : [],
    );
    const subject = taken.find((filter) => filtersOverlap(filter, `${deliver}.${filter}`));
    if (subject !== undefined) throw apiError('streamExternalDelPrefixOverlaps', { prefix: deliver, subject });
  }
  if (api === '') return;
  if (!isLiteralSubject(api))
    throw invalidConfig(`stream external api prefix ${JSON.stringify(api)} must be a valid subject without wildcards`);
  if (api === API) throw apiError('streamExternalApiOverlap', { prefix: api, subject: API });
  const domain = DOMAIN.exec(api)?.[1] ?? context.domain;
  if (domain !== context.domain && !context.hasListener(`${api}.CONSUMER.CREATE.${name}`))
    throw invalidConfig(
      `the domain ${JSON.stringify(domain)} of source ${JSON.stringify(name)} cannot be reached: ` +
        'this server has no leaf node connection to it, and no import of its API',
    );
}

/** A stream must not take messages that came from itself. */
function checkCycle(config: StreamConfig, { find }: SourceContext): void {
  const visited = new Set<string>();
  const waiting = [config];
  for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
    visited.add(at.name);
    const { subjects = [], sources = [], mirror } = at;
    for (const source of mirror === undefined ? sources : [mirror]) {
      if (source.external !== undefined) continue;
      if (!visited.has(source.name!)) {
        const next = find(source.name!);
        if (next !== undefined) waiting.push(next);
        continue;
      }
      const filter = source.filter_subject ?? '';
      const takes = filter === '' || subjects.some((subject) => filtersOverlap(subject, filter));
      if (source === mirror || takes) throw invalidConfig('detected cycle');
    }
  }
}
