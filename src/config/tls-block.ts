import { X509Certificate } from 'node:crypto';
import { describe } from '../base/failure.js';
import { TlsContext } from '../net/tls-context.js';
import type { ConfigMap, ConfigValue } from './grammar.js';
import { type KeyTable, keys, readBlock, set, unsupported } from './key-table.js';
import { readOcspPeer } from './ocsp.js';
import type { TlsOptions } from './options.js';
import { configError } from './place.js';
import { opensslCiphers, opensslCurves, tlsNames, tlsVersion } from './tls-names.js';
import { durationMs, flag, map, maps, parseDuration, type Read, text, whole } from './values.js';

/** What `handshake_first: auto` waits for a handshake before INFO. */
const FALLBACK_MS = 50;
const TIMEOUT_MS = 2_000;

interface Files {
  cert: string;
  key: string;
}

interface TlsDraft extends Omit<TlsOptions, 'certificates' | 'ca'> {
  files: Files;
  several: Files[];
  caFile: string;
  allowInsecure: boolean;
  cipherNames: string[];
  first: { handshakeFirst: boolean; fallbackMs: number };
}

const handshakeFirst: Read<TlsDraft['first']> = (value, key) => {
  const word = value.kind === 'boolean' || value.kind === 'string' ? String(value.value).toLowerCase() : '';
  if (word === 'true' || word === 'on') return { handshakeFirst: true, fallbackMs: 0 };
  if (word === 'false' || word === 'off') return { handshakeFirst: false, fallbackMs: 0 };
  if (word === 'auto' || word === 'auto_fallback') return { handshakeFirst: true, fallbackMs: FALLBACK_MS };
  if (value.kind !== 'boolean' && value.kind !== 'string')
    throw configError(value.place, `field ${JSON.stringify(key)} should be a boolean or a string`);
  const ms = parseDuration(word);
  if (ms === null)
    throw configError(value.place, `field ${JSON.stringify(key)}'s value ${JSON.stringify(value.value)} is invalid`);
  return { handshakeFirst: true, fallbackMs: ms };
};

const PINNED = 'hex-encoded sha256 of DER encoded SubjectPublicKeyInfo';

const pinnedKeys: Read<string[]> = (value, key) => {
  if (value.kind !== 'array')
    throw configError(value.place, `error parsing tls config, expected 'pinned_certs' to be a list of ${PINNED}`);
  return value.items.map((item) => {
    const digest = text(item, key).toLowerCase();
    if (/^[0-9a-f]{64}$/.test(digest)) return digest;
    const what = `'pinned_certs' key ${digest} does not look like ${PINNED}`;
    throw configError(item.place, `error parsing tls config, ${what}`);
  });
};

const pairTable = keys<Files>({ cert_file: set('cert', text), key_file: set('key', text) });

const pairs: Read<Files[]> = (value, key) =>
  maps(value, key).map((block) => {
    const pair = readBlock(block, pairTable, { cert: '', key: '' });
    if (pair.cert !== '' && pair.key !== '') return pair;
    const what = "both 'cert_file' and 'cert_key' options are required";
    throw configError(block.place, `error parsing certificates config: ${what}`);
  });

/** Seconds, fractions too, or a duration. */
const timeout: Read<number> = (value, key) => durationMs(value, key) || TIMEOUT_MS;

const table: KeyTable<TlsDraft> = {
  ...keys<TlsDraft>({
    cert_file: (tls, value, key) => {
      tls.files.cert = text(value, key);
    },
    key_file: (tls, value, key) => {
      tls.files.key = text(value, key);
    },
    ca_file: set('caFile', text),
    verify: (tls, value, key) => {
      tls.verify = flag(value, key) || tls.map;
    },
    verify_and_map: (tls, value, key) => {
      tls.map = flag(value, key);
      tls.verify ||= tls.map;
    },
    // Says something only where this side connects.
    insecure: (_, value, key) => void flag(value, key),
    allow_insecure_cipher_suites: set('allowInsecure', flag),
    cipher_suites: set('cipherNames', tlsNames),
    curve_preferences: (tls, value, key) => {
      tls.curves = opensslCurves(tlsNames(value, key), value.place);
    },
    min_version: set('minVersion', tlsVersion),
    timeout: set('timeoutMs', timeout),
    pinned_certs: set('pinnedKeys', pinnedKeys),
    'handshake_first|first|immediate': set('first', handshakeFirst),
    'certs|certificates': set('several', pairs),
    ocsp_peer: readOcspPeer,
    connection_rate_limit: set('connectionRateMax', whole(0, 2 ** 31)),
  }),
  ...unsupported<TlsDraft>(
    'verify_cert_and_check_known_urls cert_store cert_match_by cert_match ca_certs_match cert_match_skip_invalid',
  ),
};

const emptyDraft = (): TlsDraft => ({
  files: { cert: '', key: '' },
  several: [],
  caFile: '',
  allowInsecure: false,
  cipherNames: [],
  first: { handshakeFirst: false, fallbackMs: 0 },
  verify: false,
  map: false,
  minVersion: 'TLSv1.2',
  ciphers: '',
  curves: '',
  pinnedKeys: [],
  timeoutMs: TIMEOUT_MS,
  handshakeFirst: false,
  fallbackMs: 0,
  connectionRateMax: 0,
});

/** Reads `tls { … }` and the files that it names. */
export function readTls(value: ConfigValue, key: string, readFile: (path: string) => string): TlsOptions {
  const block = map(value, key);
  const draft = readBlock(block, table, emptyDraft());
  return settle(draft, block, readFile);
}

/** TLS as the command line asks for it. */
export function tlsOfFlags(
  { cert, key, ca }: { cert: string; key: string; ca: string },
  verify: boolean,
  readFile: (path: string) => string,
): TlsOptions {
  const draft = { ...emptyDraft(), files: { cert, key }, caFile: ca, verify };
  const place = { file: 'command line', line: 1, column: 1 };
  return settle(draft, { kind: 'map', place, entries: new Map() }, readFile);
}

function settle(draft: TlsDraft, block: ConfigMap, readFile: (path: string) => string): TlsOptions {
  const { files, several, caFile, allowInsecure, cipherNames, first, ...tls } = draft;
  const fail = (what: string): never => {
    throw configError(block.place, what);
  };
  if (several.length > 0 && files.cert !== '')
    fail("error parsing tls config, cannot combine 'cert_file' option with 'certs' option");
  if (several.length === 0 && files.cert === '') fail("missing 'cert_file' in TLS configuration");
  if (several.length === 0 && files.key === '') fail("missing 'key_file' in TLS configuration");
  const content = (path: string) => {
    try {
      return readFile(path);
    } catch (error) {
      return fail(`error parsing X509 certificate/key pair: open ${path}: ${describe(error)}`);
    }
  };
  const wanted = several.length > 0 ? several : [files];
  const options: TlsOptions = {
    ...tls,
    ...first,
    ciphers: cipherNames.length === 0 ? '' : opensslCiphers(cipherNames, allowInsecure, block.place),
    certificates: wanted.map((pair) => ({ cert: content(pair.cert), key: content(pair.key) })),
    ca: caFile === '' ? '' : content(caFile),
  };
  if (caFile !== '' && !isCertificate(options.ca)) fail('failed to parse root ca certificate');
  checkPairs(options, block);
  return options;
}

/** A test of the configuration finds the mistakes of its certificates. */
function checkPairs(options: TlsOptions, block: ConfigMap): void {
  try {
    new TlsContext(options);
  } catch (error) {
    throw configError(block.place, describe(error));
  }
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}
