import { describe } from '../base/failure.js';
import type { ConfigValue } from './grammar.js';
import { type KeyTable, keys, readBlock, set, unsupported } from './key-table.js';
import type { TlsOptions } from './options.js';
import { configError } from './place.js';
import { durationMs, expected, flag, map, type Read, text } from './values.js';

interface TlsDraft extends TlsOptions {
  timeoutMs: number;
}

const version: Read<TlsOptions['minVersion']> = (value, key) => {
  const number = text(value, key);
  return number === '1.2' || number === '1.3' ? `TLSv${number}` : expected(value, key, '"1.2" or "1.3"');
};

const table: KeyTable<TlsDraft> = {
  ...keys<TlsDraft>({
    cert_file: set('certFile', text),
    key_file: set('keyFile', text),
    ca_file: set('caFile', text),
    verify: set('verify', flag),
    min_version: set('minVersion', version),
    timeout: set('timeoutMs', durationMs),
  }),
  ...unsupported<TlsDraft>(
    'insecure verify_and_map verify_cert_and_check_known_urls allow_insecure_cipher_suites cipher_suites curve_preferences connection_rate_limit pinned_certs cert_store cert_match_by cert_match ca_certs_match cert_match_skip_invalid handshake_first first immediate ocsp_peer certs certificates',
  ),
};

/** Reads `tls { … }` and the files that it names. `timeoutMs` is 0 when none is given. */
export function readTls(value: ConfigValue, key: string, readFile: (path: string) => string): TlsDraft {
  const block = map(value, key);
  const empty: TlsDraft = {
    certFile: '',
    keyFile: '',
    caFile: '',
    cert: '',
    key: '',
    ca: '',
    verify: false,
    minVersion: 'TLSv1.2',
    timeoutMs: 0,
  };
  const tls = readBlock(block, table, empty);
  if (tls.certFile === '') throw configError(block.place, "missing 'cert_file' in TLS configuration");
  if (tls.keyFile === '') throw configError(block.place, "missing 'key_file' in TLS configuration");
  if (tls.verify && tls.caFile === '') throw configError(block.place, '"verify" needs a "ca_file"');
  const content = (path: string) => {
    try {
      return path === '' ? '' : readFile(path);
    } catch (error) {
      throw configError(block.place, `cannot read ${JSON.stringify(path)}: ${describe(error)}`);
    }
  };
  return { ...tls, cert: content(tls.certFile), key: content(tls.keyFile), ca: content(tls.caFile) };
}
