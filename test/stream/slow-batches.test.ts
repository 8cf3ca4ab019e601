// Who asks for much and does not read.
import { connect as dial } from 'node:net';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { as } from '../kit/connections.js';
import { startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { eventually } from '../kit/wait.js';

const ACCOUNTS = `accounts {
  A { users: [{ user: a, password: p }], jetstream: enabled, exports: [{ service: "$JS.API.>", response_type: stream }] }
  B { users: [{ user: b, password: p }], imports: [{ service: { account: A, subject: "$JS.API.>" } }] }
}`;
const MESSAGES = 50;
const PAYLOAD = Buffer.alloc(1_000_000, 'x');
/** What may wait before whoever can holds back, and what sockets hold. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

it.each([
  ['of the same account', 'a'],
  ['of another account', 'b'],
])('a batch waits for a reader that does not read, and then comes whole: %s', { timeout: 60_000 }, async (_, user) => {
  const folder = tempFolder();
  const { server, url, address, stop } = await startWeir(
    `http: -1, jetstream { store_dir: ${JSON.stringify(folder.path)} }
${ACCOUNTS}`,
  );
  const client = await as(url, 'a');
  const manager = await jetstreamManager(client);
  await manager.streams.add({ name: 'MUCH', subjects: ['much'], storage: 'memory', allow_direct: true });
  for (let i = 0; i < MESSAGES; i++) await jetstream(client).publish('much', PAYLOAD);
  const reader = dial(address.port, address.host).pause();
  const wish = JSON.stringify({ seq: 1, batch: MESSAGES, next_by_subj: 'much' });
  reader.write(
    `CONNECT {"verbose":false,"headers":true,"name":"slow","user":"${user}","pass":"p"}\r\nSUB in 1\r\nPUB $JS.API.DIRECT.GET.MUCH in ${wish.length}\r\n${wish}\r\n`,
  );
  const waiting = async () => {
    const answer = await fetch(`${server.urls.monitoring![0]}/connz`);
    const { connections } = (await answer.json()) as { connections: { name: string; pending_bytes: number }[] };
    return connections.find(({ name }) => name === 'slow')?.pending_bytes ?? 0;
  };
  await eventually(async () => (await waiting()) > 1_000_000, 'something to wait for the reader');
  // Others are answered meanwhile, by the same stream.
  for (let i = 1; i <= 20; i++) {
    expect((await manager.direct.getMessage('MUCH', { seq: i }))?.data.length).toBe(PAYLOAD.length);
    expect(await waiting()).toBeLessThan(WAITING_BYTES_MAX);
  }
  let received = 0;
  let end = '';
  reader.on('data', (chunk: Buffer) => {
    received += chunk.length;
    end = (end + chunk.toString('latin1')).slice(-2_000);
  });
  reader.resume();
  await eventually(async () => end.includes('204 EOB'), 'the end of the batch', 30_000);
  expect(received).toBeGreaterThan(MESSAGES * PAYLOAD.length);
  reader.destroy();
  await stop();
  folder.remove();
});
