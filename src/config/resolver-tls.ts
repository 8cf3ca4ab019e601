import { describe } from '../base/failure.js';
import type { ConfigValue } from './grammar.js';
import { keys, readBlock, set } from './key-table.js';
import type { ResolverTls } from './options.js';
import { configError } from './place.js';
import { durationMs, expected, flag, map, type Read, text, texts } from './values.js';

const version: Read<ResolverTls['minVersion']> = (value, key) => {
  const number = text(value, key);
  return number === '1.2' || number === '1.3' ? `TLSv${number}` : expected(value, key, '"1.2" or "1.3"');
};

const table = keys<ResolverTls>({
  cert_file: set('cert', text),
  key_file: set('key', text),
  ca_file: set('ca', text),
  insecure: set('insecure', flag),
  min_version: set('minVersion', version),
  // What only the other side of a connection does, or is waited for by other settings.
  'verify|verify_and_map|verify_cert_and_check_known_urls': (_, value, key) => void flag(value, key),
  timeout: (_, value, key) => void durationMs(value, key),
  'cipher_suites|curve_preferences': (_, value, key) => void texts(value, key),
});

/** Reads `resolver_tls { … }` and the files that it names: how the server that knows accounts is asked. */
export function readResolverTls(value: ConfigValue, key: string, readFile: (path: string) => string): ResolverTls {
  const block = map(value, key);
  const named = readBlock(block, table, { cert: '', key: '', ca: '', insecure: false, minVersion: 'TLSv1.2' });
  if ((named.cert === '') !== (named.key === ''))
    throw configError(block.place, `missing '${named.cert === '' ? 'cert' : 'key'}_file' in TLS configuration`);
  try {
    const content = (path: string) => (path === '' ? '' : readFile(path));
    const tls = { ...named, cert: content(named.cert), key: content(named.key), ca: content(named.ca) };
    // A test of the configuration finds the mistakes of its certificates.
    process.getBuiltinModule('node:tls').createSecureContext({
      ...(tls.cert !== '' && { cert: tls.cert, key: tls.key }),
      ...(tls.ca !== '' && { ca: tls.ca }),
    });
    return tls;
  } catch (error) {
    throw configError(block.place, `error parsing X509 certificate/key pair: ${describe(error)}`);
  }
}
