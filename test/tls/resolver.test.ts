import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAccount } from '@nats-io/nkeys';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newOperator, newUser } from '../auth/operator.js';
import { judged } from '../kit/judged.js';
import { optionsOf } from '../kit/servers.js';
import { makeCertificates } from './certificates.js';

let files: ReturnType<typeof makeCertificates>;
beforeAll(() => {
  files = makeCertificates();
});
afterAll(() => files.folder.remove());

judged('a resolver by HTTPS', (start) => {
  it('is asked with the certificates of resolver_tls, and trusted by its authority', async () => {
    const { server: own, ann, ca, caFile } = files;
    const operator = await newOperator();
    const account = createAccount();
    const token = await operator.account('A', account);
    const shown: unknown[] = [];
    const web = createServer({ ...own, ca, requestCert: true, rejectUnauthorized: true }, (request, response) => {
      const known = new Map([
        [account.getPublicKey(), token],
        [operator.system.getPublicKey(), operator.systemToken],
      ]);
      shown.push((request.socket as { getPeerCertificate?: () => { subject: { CN: string } } }).getPeerCertificate?.());
      response.end(known.get(request.url!.split('/').at(-1)!) ?? '');
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const { port } = web.address() as AddressInfo;
    try {
      const server = await start(`operator: ${operator.token}
        resolver_tls { cert_file: ${JSON.stringify(ann.certFile)}, key_file: ${JSON.stringify(ann.keyFile)}, ca_file: ${JSON.stringify(caFile)} }
        resolver: URL("https://127.0.0.1:${port}/jwt/")`);
      const { authenticator } = await newUser(account);
      const client = await connect({ servers: server.url, authenticator, reconnect: false, timeout: 10_000 });
      await client.flush();
      await client.close();
      expect(shown.at(-1)).toMatchObject({ subject: { CN: 'ann' } });
    } finally {
      web.closeAllConnections();
      web.close();
    }
  });
});

describe('resolver_tls', () => {
  it('is refused when its files are none', async () => {
    const { ann, bob } = files;
    const mixed = `resolver_tls { cert_file: ${JSON.stringify(ann.certFile)}, key_file: ${JSON.stringify(bob.keyFile)} }`;
    await expect(optionsOf(mixed)).rejects.toThrow(/^test.conf:1:1\d: error parsing X509 certificate\/key pair: /);
    await expect(optionsOf(`resolver_tls { cert_file: ${JSON.stringify(ann.certFile)} }`)).rejects.toThrow(
      "missing 'key_file' in TLS configuration",
    );
    await expect(optionsOf('resolver_tls { nonsense: 1 }')).rejects.toThrow('unknown field "nonsense"');
    await expect(optionsOf('resolver_tls { cipher_suites: ["NONE"] }')).rejects.toThrow('unrecognized cipher NONE');
  });
});

describe('OCSP', () => {
  const tls = (more: string) =>
    `tls { cert_file: ${JSON.stringify(files.server.certFile)}, key_file: ${JSON.stringify(files.server.keyFile)}, ${more} }`;

  it('may be turned off', async () => {
    for (const config of ['ocsp: false', 'ocsp { mode: never }', 'ocsp_cache: false', 'ocsp_cache { type: none }'])
      await optionsOf(config);
    for (const more of ['ocsp_peer: false', 'ocsp_peer { verify: false, ca_timeout: 2 }']) await optionsOf(tls(more));
  });

  it('is refused where somebody relies on it, with what this server does not do', async () => {
    for (const config of ['ocsp: true', 'ocsp { mode: always }', 'ocsp { mode: must }', 'ocsp { url: "http://x" }'])
      await expect(optionsOf(config)).rejects.toThrow(
        /^test.conf:1:\d+: OCSP is not supported by this server: it staples no/,
      );
    for (const more of ['ocsp_peer: true', 'ocsp_peer { verify: true }'])
      await expect(optionsOf(tls(more))).rejects.toThrow(/OCSP is not supported by this server: .*expected false/);
    await expect(optionsOf('ocsp { mode: sometimes }')).rejects.toThrow('unsupported ocsp mode "sometimes"');
  });
});
