import { describe } from '../base/failure.js';
import type { ConfigValue } from './grammar.js';
import { keys, readBlock, set } from './key-table.js';
import type { ResolverTls } from './options.js';
import { configError } from './place.js';
import { opensslCiphers, opensslCurves, tlsNames, tlsVersion } from './tls-names.js';
import { durationMs, flag, map, text } from './values.js';

interface ResolverTlsDraft extends ResolverTls {
  cipherNames: string[];
  allowInsecure: boolean;
}

const table = keys<ResolverTlsDraft>({
  cert_file: set('cert', text),
  key_file: set('key', text),
  ca_file: set('ca', text),
  insecure: set('insecure', flag),
  allow_insecure_cipher_suites: set('allowInsecure', flag),
  cipher_suites: set('cipherNames', tlsNames),
  curve_preferences: (tls, value, key) => {
    tls.curves = opensslCurves(tlsNames(value, key), value.place);
  },
  min_version: set('minVersion', tlsVersion),
  // What only the other side of a connection does, or is waited for by other settings.
  'verify|verify_and_map|verify_cert_and_check_known_urls': (_, value, key) => void flag(value, key),
  timeout: (_, value, key) => void durationMs(value, key),
});

const emptyDraft = (): ResolverTlsDraft => ({
  cert: '',
  key: '',
  ca: '',
  insecure: false,
  minVersion: 'TLSv1.2',
  ciphers: '',
  curves: '',
  cipherNames: [],
  allowInsecure: false,
});

/** Reads `resolver_tls { … }` and the files that it names: how the server that knows accounts is asked. */
export function readResolverTls(value: ConfigValue, key: string, readFile: (path: string) => string): ResolverTls {
  const block = map(value, key);
  const { cipherNames, allowInsecure, ...named } = readBlock(block, table, emptyDraft());
  const ciphers = cipherNames.length === 0 ? '' : opensslCiphers(cipherNames, allowInsecure, block.place);
  if ((named.cert === '') !== (named.key === ''))
    throw configError(block.place, `missing '${named.cert === '' ? 'cert' : 'key'}_file' in TLS configuration`);
  try {
    const content = (path: string) => (path === '' ? '' : readFile(path));
    const tls = { ...named, ciphers, cert: content(named.cert), key: content(named.key), ca: content(named.ca) };
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
