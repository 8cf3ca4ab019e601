import { API_LEVEL } from '../base/version.js';
import { BATCH_LIMITS } from '../stream/atomic-batches.js';
import type { Stream } from '../stream/stream.js';
import { consumerInfo, streamInfo } from '../stream/stream-info.js';
import type { Streams, Usage } from '../stream/streams.js';
import { booleanOf, pageOf } from './query.js';
import type { MonitorSource } from './snapshots.js';
import type { AccountStreamsSnapshot, JetStreamSnapshot } from './streams-snapshot.js';

/** What one account is asked about. */
interface Wanted {
  streams: boolean;
  consumers: boolean;
  config: boolean;
}

/** `/jsz`: what streams use, and on request every account, stream and consumer. */
export function jsz(source: MonitorSource, query: URLSearchParams, nowMs: number): object {
  const account = query.get('acc') ?? '';
  const consumers = booleanOf(query, 'consumers');
  const streams = booleanOf(query, 'streams') || consumers;
  const accounts = booleanOf(query, 'accounts') || streams;
  const wanted: Wanted = { streams, consumers, config: booleanOf(query, 'config') };
  const { offset, limit } = pageOf(query);
  const jetstream = source.jetstream();
  const head = { server_id: source.server().id, now: new Date(nowMs).toISOString() };
  if (jetstream === null) return { ...statsJson(null), ...head, disabled: true, config: NO_CONFIG, ...totals([]) };
  const shown =
    account !== ''
      ? jetstream.accounts.filter((one) => one.streams.broker.name === account)
      : accounts
        ? jetstream.accounts.slice(offset, offset + limit)
        : [];
  return {
    ...statsJson(jetstream),
    ...head,
    config: configJson(jetstream),
    ...totals(jetstream.accounts),
    account_details: shown.length > 0 ? shown.map((one) => accountJson(one, wanted)) : undefined,
  };
}

const NO_CONFIG = { max_memory: 0, max_storage: 0 };

/** What `/varz` says of streams. */
export function jetStreamVarz(jetstream: JetStreamSnapshot | null): object {
  if (jetstream === null) return {};
  return { config: configJson(jetstream), stats: statsJson(jetstream), limits: limitsJson(jetstream) };
}

/** The same as told to other servers: where the folder is is nobody's business there. */
export function jetStreamStats(jetstream: JetStreamSnapshot | null): object | undefined {
  if (jetstream === null) return undefined;
  return { config: { ...configJson(jetstream), store_dir: undefined }, stats: statsJson(jetstream) };
}

function limitsJson({ limits }: JetStreamSnapshot): object {
  const { batchesMax, messagesMax, patienceMs } = BATCH_LIMITS;
  return {
    max_request_batch: limits.requestBatchMax || undefined,
    max_ack_pending: limits.ackPendingMax || undefined,
    max_duplicate_window: limits.duplicateWindowMaxNs || undefined,
    max_batch_inflight_per_stream: batchesMax,
    max_batch_size: messagesMax,
    max_batch_timeout: patienceMs * 1e6,
    default_max_consumers: limits.consumersMax > 0 ? limits.consumersMax : undefined,
  };
}

function configJson(jetstream: JetStreamSnapshot): object {
  const { memoryBytesMax, storeBytesMax, folder, sync, domain, strict } = jetstream;
  return {
    max_memory: memoryBytesMax,
    max_storage: storeBytesMax,
    store_dir: folder,
    sync_interval: typeof sync === 'number' ? sync * 1e6 : 120_000_000_000,
    sync_always: sync === 'always' || undefined,
    domain: domain || undefined,
    strict: strict || undefined,
  };
}

function statsJson(jetstream: JetStreamSnapshot | null): object {
  const accounts = jetstream?.accounts ?? [];
  const sum = (figure: (usage: Usage) => number) =>
    accounts.reduce((total, { streams }) => total + figure(streams.usage()), 0);
  return {
    memory: sum(({ memoryBytes }) => memoryBytes),
    storage: sum(({ storeBytes }) => storeBytes),
    reserved_memory: sum(({ memoryReserved }) => memoryReserved),
    reserved_storage: sum(({ storeReserved }) => storeReserved),
    accounts: accounts.length,
    ha_assets: 0,
    api: apiJson(accounts, jetstream === null ? 0 : API_LEVEL),
  };
}

function apiJson(accounts: readonly AccountStreamsSnapshot[], level: number): object {
  const total = accounts.reduce((sum, { stats }) => sum + stats.total, 0);
  const errors = accounts.reduce((sum, { stats }) => sum + stats.errors, 0);
  return { level, total, errors };
}

function visibleConsumers({ consumers }: Stream) {
  return [...consumers.values()].filter(({ config }) => !config.direct);
}

/** Figures over all accounts; also those that metrics are made of. */
function totals(accounts: readonly AccountStreamsSnapshot[]) {
  const streams = accounts.flatMap((one) => one.streams.all());
  return {
    streams: streams.length,
    consumers: streams.reduce((sum, stream) => sum + visibleConsumers(stream).length, 0),
    messages: streams.reduce((sum, { log }) => sum + log.state.messages, 0),
    bytes: streams.reduce((sum, { log }) => sum + log.state.bytes, 0),
    total: accounts.length,
  };
}

function accountJson({ streams, stats }: AccountStreamsSnapshot, wanted: Wanted): object {
  const { memoryBytes, storeBytes, memoryReserved, storeReserved } = streams.usage();
  const { name } = streams.broker;
  return {
    name,
    id: name,
    memory: memoryBytes,
    storage: storeBytes,
    reserved_memory: memoryReserved,
    reserved_storage: storeReserved,
    accounts: 0,
    ha_assets: 0,
    api: { level: 0, total: stats.total, errors: stats.errors },
    stream_detail: wanted.streams ? streamsJson(streams, wanted) : undefined,
  };
}

function streamsJson(streams: Streams, { consumers, config }: Wanted): object[] {
  return streams.all().map((stream) => {
    const { config: settings, created, state, ...rest } = streamInfo(stream) as Record<string, unknown>;
    delete rest.ts;
    delete rest.domain;
    return {
      name: stream.name,
      created,
      config: config ? settings : undefined,
      state,
      ...rest,
      consumer_detail: consumers
        ? visibleConsumers(stream).map((consumer) => consumerJson(consumer, config))
        : undefined,
    };
  });
}

function consumerJson(consumer: Parameters<typeof consumerInfo>[0], withConfig: boolean): object {
  const { config, ...info } = consumerInfo(consumer) as Record<string, unknown>;
  return withConfig ? { ...info, config } : info;
}
