import type { ConfigValue } from './grammar.js';
import { keys, readBlock, set } from './key-table.js';
import { configError } from './place.js';
import { flag, type Read, text, whole } from './values.js';

/** What an account may store; -1 is no limit. */
export interface AccountJetStream {
  memoryBytesMax: number;
  storeBytesMax: number;
  streamsMax: number;
  consumersMax: number;
  /** Whether each stream must have a limit of bytes. */
  bytesMaxRequired: boolean;
  memoryStreamBytesMax: number;
  storeStreamBytesMax: number;
  ackPendingMax: number;
  /** By which tier of a JWT it is limited; empty without tiers, `missing` without one for streams of one replica. */
  tier: '' | 'R1' | 'missing';
}

/** What an account may store unless its configuration says. */
export const UNLIMITED: Readonly<AccountJetStream> = {
  memoryBytesMax: -1,
  storeBytesMax: -1,
  streamsMax: -1,
  consumersMax: -1,
  bytesMaxRequired: false,
  memoryStreamBytesMax: -1,
  storeStreamBytesMax: -1,
  ackPendingMax: -1,
  tier: '',
};

const size: Read<number> = (value, key) => {
  const [, digits, unit] = value.kind === 'string' ? (/^(\d+)([KMGT])$/.exec(String(value.value)) ?? []) : [];
  if (digits !== undefined) return Number(digits) * 1024 ** ('KMGT'.indexOf(unit) + 1);
  return whole(-1, 2 ** 53 - 1)(value, key);
};

const table = keys<AccountJetStream>({
  'max_memory|max_mem|mem|memory': set('memoryBytesMax', size),
  'max_store|max_file|max_disk|store|disk': set('storeBytesMax', size),
  'max_streams|streams': set('streamsMax', size),
  'max_consumers|consumers': set('consumersMax', size),
  'max_bytes_required|max_stream_bytes|max_bytes': set('bytesMaxRequired', flag),
  'mem_max_stream_bytes|memory_max_stream_bytes': set('memoryStreamBytesMax', size),
  'disk_max_stream_bytes|store_max_stream_bytes': set('storeStreamBytesMax', size),
  max_ack_pending: set('ackPendingMax', size),
  cluster_traffic: (_, value, key) => {
    if (!['', 'system', 'owner'].includes(text(value, key)))
      throw configError(value.place, `Expected 'system' or 'owner' string value for ${JSON.stringify(key)}`);
  },
});

/** Reads an account's `jetstream: enabled` or `jetstream { … }`; null is none. */
export function readAccountJetStream(value: ConfigValue): AccountJetStream | null {
  if (value.kind === 'boolean') return value.value === true ? { ...UNLIMITED } : null;
  if (value.kind === 'map') return readBlock(value, table, { ...UNLIMITED });
  const word = value.kind === 'string' ? String(value.value).toLowerCase() : '';
  if (word === 'enabled' || word === 'enable') return { ...UNLIMITED };
  if (word === 'disabled' || word === 'disable') return null;
  throw configError(
    value.place,
    `Expected 'enabled' or 'disabled' for string value, got '${value.kind === 'array' ? 'a list' : value.value}'`,
  );
}
