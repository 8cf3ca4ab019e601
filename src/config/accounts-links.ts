import type { ExportSettings, ImportSettings, ResponseType } from '../broker/account-settings.js';
import type { Placed } from './account-draft.js';
import type { ConfigMap, ConfigValue } from './grammar.js';
import { keys, readBlock, set } from './key-table.js';
import { configError } from './place.js';
import { flag, map, parseDuration, type Read, text, texts, whole } from './values.js';

const RESPONSE_TYPES: Record<string, ResponseType> = {
  single: 'singleton',
  singleton: 'singleton',
  stream: 'stream',
  chunk: 'chunked',
  chunked: 'chunked',
};
const THRESHOLD_MS = 120_000;
const SAMPLING = 100;

interface ExportDraft {
  stream: string | null;
  service: string | null;
  accounts: string[] | null;
  tokenPosition: number;
  response: ResponseType | null;
  thresholdMs: number | null;
  latency: ExportSettings['latency'];
  trace: boolean | null;
}

const responseType: Read<ResponseType> = (value, key) => {
  const type = RESPONSE_TYPES[text(value, key).toLowerCase()];
  if (type !== undefined) return type;
  throw configError(value.place, `Unknown response type: ${JSON.stringify(text(value, key))}`);
};

const threshold: Read<number> = (value) => {
  const ms = value.kind === 'string' ? parseDuration(String(value.value)) : null;
  if (ms !== null) return ms;
  const found = value.kind === 'map' || value.kind === 'array' ? value.kind : JSON.stringify(String(value.value));
  throw configError(value.place, `Expected response threshold to be a parseable time duration, got ${found}`);
};

const latency: Read<ExportSettings['latency']> = (value, key) => {
  if (value.kind === 'string') return { subject: text(value, key), sampling: SAMPLING };
  if (value.kind !== 'map') throw configError(value.place, 'Expected latency entry to be a map/struct or string');
  const subject = value.entries.get('subject')?.value;
  if (subject === undefined) throw configError(value.place, 'Latency subject required, but missing');
  const sampling = value.entries.get('sampling')?.value;
  return { subject: text(subject, 'subject'), sampling: sampling === undefined ? SAMPLING : samplingOf(sampling) };
};

/** A percentage; `headers` samples what asks for it. */
function samplingOf(value: ConfigValue): number {
  const written = text(value, 'sampling').trim().replace(/%$/, '');
  if (written.toLowerCase() === 'headers') return 0;
  const percent = Number(written);
  if (Number.isInteger(percent) && percent >= 1 && percent <= 100) return percent;
  throw configError(value.place, 'bad sampling percentage, should be 1-100');
}

const exportTable = keys<ExportDraft>({
  stream: set('stream', text),
  service: set('service', text),
  'response|response_type': set('response', responseType),
  'threshold|response_threshold|response_max_time|response_time': set('thresholdMs', threshold),
  accounts: set('accounts', texts),
  latency: set('latency', latency),
  account_token_position: set('tokenPosition', whole(0, 255)),
  allow_trace: set('trace', flag),
});

function exportOf(block: ConfigMap): ExportSettings {
  const draft = readBlock(block, exportTable, {
    stream: null,
    service: null,
    accounts: null,
    tokenPosition: 0,
    response: null,
    thresholdMs: null,
    latency: null,
    trace: null,
  });
  const { stream, service, response, thresholdMs } = draft;
  if (stream !== null && service !== null)
    throw configError(block.place, `Detected stream ${JSON.stringify(stream)} but already saw a service`);
  const subject = stream ?? service;
  if (subject === null) throw configError(block.place, 'Export Items should be a map with type entry');
  if (stream !== null) {
    const directive =
      response !== null || thresholdMs !== null ? 'response' : draft.latency !== null ? 'latency' : null;
    if (directive !== null) throw configError(block.place, `Detected ${directive} directive on non-service`);
    if (draft.trace !== null) throw configError(block.place, 'Detected allow_trace directive on non-service');
  }
  return {
    kind: stream === null ? 'service' : 'stream',
    subject,
    accounts: draft.accounts,
    tokenPosition: draft.tokenPosition,
    responseType: response ?? 'singleton',
    responseThresholdMs: thresholdMs || THRESHOLD_MS,
    latency: draft.latency,
    allowTrace: draft.trace ?? false,
  };
}

interface ImportDraft {
  stream: Source | null;
  service: Source | null;
  prefix: string;
  to: string;
  share: boolean;
  trace: boolean | null;
}

interface Source {
  account: string;
  subject: string;
}

const sourceTable = keys<Source>({ account: set('account', text), subject: set('subject', text) });

function source(kind: string): Read<Source> {
  return (value) => {
    if (value.kind !== 'map') throw configError(value.place, `${kind} entry should be an account map`);
    const read = readBlock(value, sourceTable, { account: '', subject: '' });
    if (read.account !== '' && read.subject !== '') return read;
    throw configError(value.place, 'Expect an account name and a subject');
  };
}

const importTable = keys<ImportDraft>({
  stream: set('stream', source('Stream')),
  service: set('service', source('Service')),
  prefix: set('prefix', text),
  to: set('to', text),
  share: set('share', flag),
  allow_trace: set('trace', flag),
});

function importOf(block: ConfigMap): ImportSettings {
  const empty: ImportDraft = { stream: null, service: null, prefix: '', to: '', share: false, trace: null };
  const { stream, service, prefix, to, share, trace } = readBlock(block, importTable, empty);
  const fail = (what: string): never => {
    throw configError(block.place, what);
  };
  if (stream !== null && service !== null) fail('Detected stream but already saw a service');
  if (service !== null && trace !== null) fail('Detected allow_trace directive on a non-stream');
  if (stream !== null && prefix !== '' && to !== '') fail("Stream import can not have a 'prefix' and a 'to' property");
  const { account, subject } = stream ?? service ?? fail('Import Items should be a map with type entry');
  const kind = stream === null ? 'service' : 'stream';
  const here = { to, prefix: kind === 'stream' ? prefix.replace(/\.$/, '') : '' };
  return { kind, account, subject, ...here, share, allowTrace: trace ?? false };
}

function list<T extends object>(value: ConfigValue, what: string, read: (block: ConfigMap) => T): Placed<T>[] {
  if (value.kind !== 'array') throw configError(value.place, `${what} should be an array`);
  return value.items.map((item) => {
    const block = map(item, what.toLowerCase());
    return { ...read(block), place: block.place };
  });
}

export function readExports(value: ConfigValue): Placed<ExportSettings>[] {
  return list(value, 'Exports', exportOf);
}

export function readImports(value: ConfigValue): Placed<ImportSettings>[] {
  return list(value, 'Imports', importOf);
}
