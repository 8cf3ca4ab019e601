import { hkdfSync } from 'node:crypto';
import type { Options } from '../config/options.js';
import type { Encryption } from '../storage/segment-header.js';

/** How what lies in the store directory is encrypted; null when the configuration has no key. */
export function encryptionOf({ key, cipher }: Options['streams']): Encryption | null {
  if (key === '') return null;
  return { cipher: cipher === 'aes' ? 'aes-256-gcm' : 'chacha20-poly1305', key: storeKey(key) };
}

/** Made of the key in the configuration, which may be any text. */
function storeKey(key: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, '', 'weir streams', 32));
}
