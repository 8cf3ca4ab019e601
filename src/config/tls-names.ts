import type { TlsSettings } from '../net/tls-context.js';
import { configError, type Place } from './place.js';
import { expected, type Read, text, texts } from './values.js';

export const tlsVersion: Read<TlsSettings['minVersion']> = (value, key) => {
  const number = text(value, key);
  return number === '1.2' || number === '1.3' ? `TLSv${number}` : expected(value, key, '"1.2" or "1.3"');
};

/** A list that says something: nats-server refuses empty ones. */
export const tlsNames: Read<string[]> = (value, key) => {
  const list = texts(value, key);
  if (list.length > 0) return list;
  throw configError(value.place, `error parsing tls config, '${key}' cannot be empty`);
};

/** Names of cipher suites as IANA gives them, and OpenSSL's. Those of TLS 1.3 are always on. */
const CIPHERS: Record<string, string> = {
  TLS_AES_128_GCM_SHA256: '',
  TLS_AES_256_GCM_SHA384: '',
  TLS_CHACHA20_POLY1305_SHA256: '',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
};

const INSECURE: Record<string, string> = {
  TLS_RSA_WITH_AES_128_CBC_SHA: 'AES128-SHA',
  TLS_RSA_WITH_AES_256_CBC_SHA: 'AES256-SHA',
  TLS_RSA_WITH_AES_128_CBC_SHA256: 'AES128-SHA256',
  TLS_RSA_WITH_AES_128_GCM_SHA256: 'AES128-GCM-SHA256',
  TLS_RSA_WITH_AES_256_GCM_SHA384: 'AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: 'ECDHE-ECDSA-AES128-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: 'ECDHE-RSA-AES128-SHA256',
  TLS_RSA_WITH_3DES_EDE_CBC_SHA: '',
  TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA: '',
  TLS_RSA_WITH_RC4_128_SHA: '',
  TLS_ECDHE_RSA_WITH_RC4_128_SHA: '',
  TLS_ECDHE_ECDSA_WITH_RC4_128_SHA: '',
};

const TLS13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

/** A list of cipher suites for OpenSSL. Throws in nats-server's words when one is unknown, or insecure and not allowed. */
export function opensslCiphers(names: readonly string[], allowInsecure: boolean, place: Place): string {
  const unknown = names.find((name) => !Object.hasOwn(CIPHERS, name) && !Object.hasOwn(INSECURE, name));
  if (unknown !== undefined) throw configError(place, `unrecognized cipher ${unknown}`);
  const insecure = names.filter((name) => Object.hasOwn(INSECURE, name));
  if (insecure.length > 0 && !allowInsecure) {
    const what = "insecure cipher suites configured without 'allow_insecure_cipher_suites' option set";
    throw configError(place, `${what}: ${insecure.join(', ')}`);
  }
  const wanted = names.map((name) => CIPHERS[name] ?? INSECURE[name]).filter((name) => name !== '');
  return [...TLS13, ...wanted].join(':');
}

/** Post-quantum ones are left out where the TLS library has none. */
const CURVES: Record<string, string> = {
  X25519MLKEM768: '',
  SecP256r1MLKEM768: '',
  SecP384r1MLKEM1024: '',
  X25519: 'X25519',
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
};

/** A list of curves for OpenSSL. */
export function opensslCurves(names: readonly string[], place: Place): string {
  const unknown = names.find((name) => !Object.hasOwn(CURVES, name));
  if (unknown !== undefined) throw configError(place, `unrecognized curve preference ${unknown}`);
  return names
    .map((name) => CURVES[name])
    .filter((name) => name !== '')
    .join(':');
}
