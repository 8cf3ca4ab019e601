import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { selfSigned } from '../../test/kit/certificate.js';

/** A new certificate for 127.0.0.1 and its key, as files in the folder. */
export function certificateFiles(folder: string): { cert: string; key: string } {
  const made = selfSigned('attacked');
  const files = { cert: join(folder, 'server.pem'), key: join(folder, 'server-key.pem') };
  writeFileSync(files.cert, made.cert);
  writeFileSync(files.key, made.key, { mode: 0o600 });
  return files;
}
