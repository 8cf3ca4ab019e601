import { API_LEVEL } from '../base/version.js';
import { LogFilter } from '../storage/log-filter.js';
import { filtersOverlap, isFilter } from '../subject/subject.js';
import { apiError, invalidConfig } from './api-error.js';
import { type ApiRequest, expectEmpty, isEmpty, isStructured, jsonOf, type Operation, page } from './api-request.js';
import type { StreamLimits } from './limits.js';
import { flag, natural, object, text, whole } from './shape.js';
import type { Stream } from './stream.js';
import { createStreamShape } from './stream-config.js';
import { streamInfo } from './stream-info.js';
import { SUBJECTS_MAX, type SubjectList } from './subject-list.js';

const NAMES_MAX = 1024;
const LIST_MAX = 256;
/** Of what stands where subjects will: so long that nobody else says it. */
const PLACE_LENGTH = 22;
const NO_SUBJECTS: SubjectList = { total: 0, json: '' };

const infoShape = object('StreamInfoRequest', { offset: whole, deleted_details: flag, subjects_filter: text });
const NOWHERE = { total: 0, offset: 0, limit: 0 };

const namesShape = object('StreamNamesRequest', { offset: whole, subject: text });
const purgeShape = object('StreamPurgeRequest', { seq: natural, filter: text, keep: natural });

function streamOf({ streams, args }: ApiRequest): Stream {
  return streams.get(args[0]);
}

async function create(request: ApiRequest): Promise<object> {
  const { pedantic = false, ...config } = jsonOf(request, createStreamShape);
  if (config.name !== request.args[0]) throw apiError('streamMismatch');
  if (/[\\/]/.test(config.name)) throw apiError('streamNameContainsPathSeparators');
  if (config.sealed) throw invalidConfig('stream configuration for create can not be sealed');
  if (config.mirror_direct && config.mirror === undefined)
    throw invalidConfig('stream has no mirror but does have mirror direct');
  const stream = await request.streams.create(config, pedantic);
  return { ...streamInfo(stream), did_create: true };
}

async function update(request: ApiRequest): Promise<object> {
  const { pedantic = false, ...config } = jsonOf(request, createStreamShape);
  if (config.name !== request.args[0]) throw apiError('streamMismatch');
  return streamInfo(await request.streams.update(config, pedantic));
}

async function info(request: ApiRequest): Promise<object> {
  const wishes = isStructured(request) ? jsonOf(request, infoShape) : {};
  const { offset = 0, deleted_details = false, subjects_filter = '' } = wishes;
  const stream = streamOf(request);
  const lists = subjects_filter !== '' && isFilter(subjects_filter);
  const { total, json } = lists ? await request.streams.listing(stream, subjects_filter, offset) : NO_SUBJECTS;
  if (json !== '') request.insert = { place: request.streams.newId(PLACE_LENGTH), json };
  const found = streamInfo(stream, { deletedDetails: deleted_details, subjects: request.insert?.place });
  const place = { total, offset: total > 0 ? offset : 0, limit: total > 0 ? SUBJECTS_MAX : 0 };
  return { ...place, ...found, cluster: { leader: request.streams.serverName } };
}

async function remove(request: ApiRequest): Promise<object> {
  expectEmpty(request);
  await request.streams.delete(streamOf(request).name);
  return { success: true };
}

function matching({ streams }: ApiRequest, subject = ''): Stream[] {
  if (subject === '') return streams.all();
  return streams.all().filter(({ config }) => config.subjects?.some((filter) => filtersOverlap(filter, subject)));
}

function names(request: ApiRequest): object {
  const { offset = 0, subject } = isEmpty(request) ? {} : jsonOf(request, namesShape);
  const { place, part } = page(matching(request, subject), offset, NAMES_MAX);
  return { ...place, streams: part.length > 0 ? part.map(({ name }) => name) : null };
}

function list(request: ApiRequest): object {
  const { offset = 0, subject } = isEmpty(request) ? {} : jsonOf(request, namesShape);
  const { place, part } = page(matching(request, subject), offset, LIST_MAX);
  return { ...place, streams: part.map((stream) => streamInfo(stream)) };
}

async function purge(request: ApiRequest): Promise<object> {
  const { seq = 0, filter = '', keep = 0 } = isEmpty(request) ? {} : jsonOf(request, purgeShape);
  if (seq > 0 && keep > 0) throw apiError('badRequest');
  const stream = streamOf(request);
  if (stream.config.sealed) throw apiError('streamSealed');
  if (stream.config.deny_purge) throw apiError('streamPurgeFailed', { err: 'stream purge not permitted' });
  if (filter !== '' && !isFilter(filter)) throw apiError('badRequest');
  const purged = await stream.purgeInTurns({
    filter: filter === '' || filter === '>' ? null : LogFilter.of([filter]),
    ...(seq > 0 ? { before: seq } : {}),
    ...(keep > 0 ? { keep } : {}),
  });
  return { success: true, purged };
}

function limitsJson(limits: StreamLimits): object {
  return {
    max_memory: limits.accountMemoryMax,
    max_storage: limits.accountStoreMax,
    max_streams: limits.streamsMax,
    max_consumers: limits.consumersMax,
    max_ack_pending: limits.ackPendingMax || -1,
    memory_max_stream_bytes: limits.memoryStreamBytesMax,
    storage_max_stream_bytes: limits.storeStreamBytesMax,
    max_bytes_required: limits.bytesMaxRequired,
  };
}

const NO_LIMITS_JSON = {
  ...{ max_memory: 0, max_storage: 0, max_streams: 0, max_consumers: 0, max_ack_pending: 0 },
  ...{ memory_max_stream_bytes: 0, storage_max_stream_bytes: 0, max_bytes_required: false },
};

function accountInfo({ streams, stats }: ApiRequest): object {
  const { memoryBytes, storeBytes, memoryReserved, storeReserved } = streams.usage();
  const { limits } = streams;
  const consumers = streams.all().flatMap((stream) => [...stream.consumers.values()]);
  const used = {
    memory: memoryBytes,
    storage: storeBytes,
    reserved_memory: memoryReserved,
    reserved_storage: storeReserved,
    streams: streams.size,
    consumers: consumers.filter(({ config }) => !config.direct).length,
  };
  // With tiers each says its limits, and the account as a whole none.
  const tiers = limits.tier === 'R1' ? { R1: { ...used, limits: limitsJson(limits) } } : undefined;
  return {
    ...used,
    limits: limits.tier === '' ? limitsJson(limits) : NO_LIMITS_JSON,
    domain: streams.domain || undefined,
    api: {
      level: API_LEVEL,
      total: stats.total,
      errors: stats.errors,
      inflight: stats.inFlight > 1 ? stats.inFlight : undefined,
    },
    tiers,
  };
}

function needsCluster(): never {
  throw apiError('clusterRequired');
}

/** Operations on streams and the account. */
export const STREAM_OPERATIONS: readonly Operation[] = [
  { name: 'INFO', args: [0, 0], type: 'account_info', handle: accountInfo },
  { name: 'STREAM.CREATE', args: [1, 1], type: 'stream_create', handle: create },
  { name: 'STREAM.UPDATE', args: [1, 1], type: 'stream_update', handle: update },
  { name: 'STREAM.INFO', args: [1, 1], type: 'stream_info', always: NOWHERE, handle: info },
  { name: 'STREAM.DELETE', args: [1, 1], type: 'stream_delete', handle: remove },
  { name: 'STREAM.NAMES', args: [0, 0], type: 'stream_names', always: { ...NOWHERE, streams: null }, handle: names },
  { name: 'STREAM.LIST', args: [0, 0], type: 'stream_list', always: { ...NOWHERE, streams: null }, handle: list },
  { name: 'STREAM.PURGE', args: [1, 1], type: 'stream_purge', always: { purged: 0 }, handle: purge },
  { name: 'STREAM.LEADER.STEPDOWN', args: [1, 1], type: 'stream_leader_stepdown', handle: needsCluster },
  { name: 'STREAM.PEER.REMOVE', args: [1, 1], type: 'stream_remove_peer', handle: needsCluster },
  { name: 'CONSUMER.LEADER.STEPDOWN', args: [2, 2], type: 'consumer_leader_stepdown', handle: needsCluster },
];
