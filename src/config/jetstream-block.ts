import type { Draft } from './draft.js';
import type { ConfigValue } from './grammar.js';
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

const syncInterval: Read<unknown> = (value, key) =>
  value.kind === 'string' && /^always$/i.test(String(value.value)) ? 'always' : durationMs(value, key);

const limits = blockOf(
  checked({
    'max_ack_pending|max_ha_assets|max_request_batch|default_max_consumers': whole(-1, 2 ** 31),
    duplicate_window: durationMs,
    batch: blockOf(checked({ 'max_inflight_per_stream|max_inflight_total|max_msgs': count, timeout: durationMs })),
  }),
);

const cipher = oneOf('chacha', 'chachapoly', 'aes');

const table: KeyTable<Draft> = {
  ...checked<Draft>({
    'strict|meta_compact_sync': flag,
    'sync|sync_interval': syncInterval,
    'max_memory_store|max_mem_store|max_mem|max_file_store|max_file': storage,
    'max_outstanding_catchup|max_buffered_size|meta_compact_size': storage,
    'domain|key|ek|encryption_key|prev_key|prev_ek|prev_encryption_key|extension_hint|unique_tag': text,
    cipher,
    limits,
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
