import { X509Certificate } from 'node:crypto';
import { Algorithms, decode, encodeAuthorizationResponse, encodeUser } from '@nats-io/jwt';
import { createAccount, fromPublic } from '@nats-io/nkeys';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { judged } from '../kit/judged.js';
import { makeCertificates } from './certificates.js';

const DEADLINE_MS = 10_000;
const v2 = { algorithm: Algorithms.v2 };
// biome-ignore lint/suspicious/noExplicitAny: requests are looked into at will, and every look is an expectation.
type Json = Record<string, any>;

judged('what a callout is told of TLS', (start) => {
  let files: ReturnType<typeof makeCertificates>;
  const open: NatsConnection[] = [];
  beforeAll(() => {
    files = makeCertificates();
  });
  afterAll(() => files.folder.remove());
  afterEach(async () => {
    for (const connection of open.splice(0)) await connection.close();
  });

  it.each([true, false])('verified certificates come with who vouches for them: %s', async (verify) => {
    const { server, ann, ca, caFile } = files;
    const issuer = createAccount();
    const path = (name: string) => JSON.stringify(name);
    const { url } = await start(`
      tls { cert_file: ${path(server.certFile)}, key_file: ${path(server.keyFile)}, ca_file: ${path(caFile)}, verify: ${verify} }
      accounts { AUTH { users: [{ user: auth, password: p }] }, A {} }
      authorization { auth_callout { issuer: ${issuer.getPublicKey()}, account: AUTH, auth_users: [auth] } }`);
    const client = async (user: string) => {
      const tls = { ca, cert: ann.cert, key: ann.key };
      const connection = await connect({ servers: url, tls, user, pass: 'p', reconnect: false, timeout: DEADLINE_MS });
      open.push(connection);
      return connection;
    };
    const requests: Json[] = [];
    const service = await client('auth');
    service.subscribe('$SYS.REQ.USER.AUTH', {
      callback: (_, message) => {
        void (async () => {
          const request = decode(message.string()) as Json;
          requests.push(request);
          const user = fromPublic(request.nats.user_nkey);
          const jwt = await encodeUser('ann', user, issuer, {}, { ...v2, aud: 'A' });
          const answer = { jwt } as never;
          message.respond(await encodeAuthorizationResponse(user, fromPublic(request.iss), issuer, answer, v2));
        })();
      },
    });
    await service.flush();
    await client('ann');
    const { client_tls } = requests[0].nats;
    expect(client_tls).toMatchObject({ version: '1.3', cipher: expect.stringMatching(/^TLS_/) });
    expect(client_tls.certs).toBeUndefined();
    const chains = client_tls.verified_chains?.map((chain: string[]) =>
      chain.map((pem) => new X509Certificate(pem).raw),
    );
    const raw = (pem: string) => new X509Certificate(pem).raw;
    expect(chains).toEqual(verify ? [[raw(ann.cert), raw(ca)]] : undefined);
  });
});
