import type { TlsFacts } from '../net/tls-peer.js';
import type { ConnectOptions } from './connect-options.js';
import type { Applicant } from './context.js';

/** What a service is told that is to say who a client is: keys in nats-server's order. */
export function calloutInfoOf(options: Readonly<ConnectOptions>, { id, transport, nonce }: Applicant): object {
  const { jwt, nkey, signature, token, user, password, name, language, version, protocol } = options;
  const { tls } = transport;
  return {
    client_info: {
      host: transport.remoteAddress,
      id,
      user: nkey || user || (token === '' ? undefined : '[REDACTED]'),
      name: name || undefined,
      kind: 'Client',
      type: transport.kind === 'websocket' ? 'websocket' : 'nats',
      nonce: (signature !== '' && nonce) || undefined,
    },
    connect_opts: {
      jwt: jwt || undefined,
      nkey: nkey || undefined,
      sig: signature || undefined,
      auth_token: token || undefined,
      user: user || undefined,
      pass: password || undefined,
      name: name || undefined,
      lang: language || undefined,
      version: version || undefined,
      protocol,
    },
    client_tls: tls === null ? undefined : tlsInfoOf(tls),
  };
}

function tlsInfoOf({ version, cipherSuite, verifiedChain }: TlsFacts): object {
  const chain = verifiedChain();
  return { version, cipher: cipherSuite, verified_chains: chain.length > 0 ? [chain] : undefined };
}
