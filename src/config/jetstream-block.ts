import type { Draft } from './draft.js';
import type { ConfigValue } from './grammar.js';
import type { JetStreamOptions } from './jetstream-options.js';
import { blockOf, checked, type KeyTable, keys, readBlock } from './key-table.js';
import { durationMs, expected, flag, map, oneOf, type Read, text, whole } from './values.js';

const count = whole(0, 2 ** 31);

/** Bytes as a number, or as a text such as `"10G"`. */
const storage: Read<number> = (value, key) => {
  if (value.kind === 'number') return whole(-1, 2 ** 63)(value, key);
  const [, digits, unit] = /^(\d+)([KMGT])$/.exec(text(value, key)) ?? [];
  return digits === undefined
    ? expected(value, key, 'a size such as 1G')
    : Number(digits) * 1024 ** ('KMGT'.indexOf(unit) + 1);
};

/** `always`, `os`, or a duration; our own `interval` is nats-server's two minutes. */
const sync: Read<JetStreamOptions['sync']> = (value, key) => {
  const word = value.kind === 'string' ? String(value.value).toLowerCase() : '';
  if (word === 'always' || word === 'os') return word;
  return word === 'interval' ? 120_000 : durationMs(value, key);
};

/** A key that sets a field of the streams' options. */
function field<K extends keyof JetStreamOptions>(name: K, read: Read<JetStreamOptions[K]>) {
  return ({ options }: Draft, value: ConfigValue, key: string): void => {
    options.streams[name] = read(value, key);
  };
}

const limit = whole(-1, 2 ** 31);
const atLeastNone: Read<number> = (value, key) => Math.max(0, limit(value, key));

const limits: KeyTable<Draft> = {
  ...checked<Draft>({
    max_ha_assets: limit,
    batch: blockOf(checked({ 'max_inflight_per_stream|max_inflight_total|max_msgs': count, timeout: durationMs })),
  }),
  ...keys<Draft>({
    max_ack_pending: field('ackPendingMax', atLeastNone),
    max_request_batch: field('requestBatchMax', atLeastNone),
    default_max_consumers: field('consumersMax', limit),
    duplicate_window: field('duplicateWindowMaxNs', (value, key) => durationMs(value, key) * 1e6),
  }),
};

const cipher = oneOf('chacha', 'chachapoly', 'aes');

const table: KeyTable<Draft> = {
  ...checked<Draft>({
    meta_compact_sync: flag,
    'max_outstanding_catchup|max_buffered_size|meta_compact_size': storage,
    'extension_hint|unique_tag': text,
    tpm: blockOf(checked({ 'keys_file|encryption_password|srk_password': text, pcr: count, cipher })),
    'max_buffered_msgs|request_queue_limit|info_queue_limit|meta_compact': count,
    max_concurrent_io: whole(4, 8192),
  }),
  ...keys<Draft>({
    'enabled|enable': ({ options }, value, key) => {
      options.jetstream = flag(value, key);
    },
    'disabled|disable': ({ options }, value, key) => {
      options.jetstream = !flag(value, key);
    },
    'store|store_dir|storedir': ({ options }, value, key) => {
      options.storeDir = text(value, key);
    },
    strict: field('strict', flag),
    'sync|sync_interval': field('sync', sync),
    'max_memory_store|max_mem_store|max_mem': field('memoryBytesMax', storage),
    'max_file_store|max_file': field('storeBytesMax', storage),
    domain: field('domain', text),
    'key|ek|encryption_key': field('key', text),
    'prev_key|prev_ek|prev_encryption_key': field('previousKey', text),
    cipher: field('cipher', (value, key) => (cipher(value, key) === 'aes' ? 'aes' : 'chacha')),
    limits: (draft, value, key) => readBlock(map(value, key), limits, draft),
  }),
};

/** Reads `jetstream: true`, `jetstream: enabled` or `jetstream { … }`. */
export function readJetStream(draft: Draft, value: ConfigValue, key: string): void {
  if (value.kind === 'boolean') draft.options.jetstream = value.value === true;
  else if (value.kind === 'string')
    draft.options.jetstream = oneOf('enabled', 'enable', 'disabled', 'disable')(value, key).startsWith('enable');
  else {
    draft.options.jetstream = true;
    readBlock(map(value, key), table, draft);
  }
}
