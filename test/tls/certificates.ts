import { createHash, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Certificate, newAuthority } from '../kit/certificate.js';
import { tempFolder } from '../kit/temp-folder.js';

/** Certificates of an authority, and of another one that nobody trusts, as files. */
export function makeCertificates() {
  const folder = tempFolder();
  const authority = newAuthority();
  const stranger = newAuthority();
  const file = (name: string, text: string) => {
    const path = join(folder.path, name);
    writeFileSync(path, text);
    return path;
  };
  const save = (name: string, { cert, key }: Certificate) => ({
    cert,
    key,
    certFile: file(`${name}.pem`, cert),
    keyFile: file(`${name}-key.pem`, key),
  });
  const localhost = ['localhost', '127.0.0.1'];
  return {
    folder,
    ca: authority.cert,
    caFile: file('ca.pem', authority.cert),
    server: save('server', authority.issue({ subject: ['CN=server'], dns: localhost })),
    second: save('second', authority.issue({ subject: ['CN=second'], dns: ['second.test', ...localhost] })),
    ann: save('ann', authority.issue({ subject: ['O=Weir', 'OU=tests', 'CN=ann'], emails: ['ann@weir.test'] })),
    bob: save('bob', authority.issue({ subject: ['O=Weir', 'OU=tests', 'CN=bob'] })),
    expired: save('expired', authority.issue({ subject: ['CN=late'], expired: true })),
    stranger: save('stranger', stranger.issue({ subject: ['CN=ann'], emails: ['ann@weir.test'] })),
    issue: authority.issue,
    save,
  };
}

/** What `pinned_certs` calls a certificate's key. */
export function pinOf(pem: string): string {
  const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('hex');
}
