import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { utf8 } from '../../src/base/bytes.js';
import { Subscription } from '../../src/broker/subscription.js';
import { startWeirOn, type WeirUnderTest } from '../kit/judged.js';
import { until } from '../kit/wait.js';
import { makeCertificates } from '../tls/certificates.js';

const DEADLINE_MS = 10_000;
const COUNT = 10_000;
const HELLO = 'CONNECT {"verbose":false}\r\nPING\r\n';
const WORDS = 'PUB last.words 2\r\nhi\r\n'.repeat(COUNT);

let files: ReturnType<typeof makeCertificates>;
beforeAll(() => {
  files = makeCertificates();
});
afterAll(() => files.folder.remove());

async function leave(socket: Socket): Promise<void> {
  let heard = '';
  socket.on('data', (data) => {
    heard += String(data);
  });
  socket.write(HELLO);
  await until(() => heard.includes('PONG'), 'the PONG', DEADLINE_MS);
  socket.end(WORDS);
}

/** Says hello, waits for the answer, then says the last words and leaves in the same breath. */
const publishers: Record<string, (weir: WeirUnderTest) => Promise<void>> = {
  TCP: async ({ address }) => leave(connectTcp(address.port, address.host)),
  TLS: async ({ address }) => {
    const socket = connectTls({ port: address.port, host: address.host, ca: files.ca });
    await once(socket, 'secureConnect');
    await leave(socket);
  },
  WebSocket: async ({ server }) => {
    const socket = new WebSocket(server.urls.websocket![0]);
    let heard = '';
    socket.on('message', (data) => {
      heard += String(data);
    });
    await once(socket, 'open');
    socket.send(HELLO);
    await until(() => heard.includes('PONG'), 'the PONG', DEADLINE_MS);
    socket.send(WORDS);
    socket.close();
  },
};

/** Why what was read waits. */
const reasons: Record<string, (server: WeirUnderTest['server']) => () => void> = {
  // Clients always had their share already: each slice of what is read waits for the next turn.
  'its turn is still to come': ({ door }) => {
    Object.defineProperty(door.turn, 'spent', { value: true });
    return () => {};
  },
  'a receiver is behind':
    ({ door }) =>
    () =>
      door.congestion.note({} as never, [...door.sessions.values()][0]),
};

describe('what a client says before it leaves', () => {
  const cases = Object.keys(reasons).flatMap((reason) => Object.keys(publishers).map((by) => [reason, by]));
  it.each(cases)('is done, though %s (%s)', async (reason, transport) => {
    const tls = `tls { handshake_first: true, cert_file: ${JSON.stringify(files.server.certFile)}, key_file: ${JSON.stringify(files.server.keyFile)} }`;
    const weir = await startWeirOn(
      `websocket { listen: "127.0.0.1:-1", no_tls: true }\n${transport === 'TLS' ? tls : ''}`,
    );
    try {
      const { account, door } = weir.server;
      let delivered = 0;
      const wait = reasons[reason](weir.server);
      const listener = {
        deliver: () => {
          wait();
          return ++delivered > 0;
        },
      };
      account.subscribe(new Subscription(listener, utf8('last.words'), null, utf8('1')));
      await publishers[transport](weir);
      await until(() => door.sessions.size === 0 && delivered > 0, 'the client to be gone', DEADLINE_MS);
      expect(delivered).toBe(COUNT);
    } finally {
      await weir.stop();
    }
  });
});
