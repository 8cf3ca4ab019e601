import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Logger, silentLogger } from '../../src/base/logger.js';
import { loadOptions } from '../../src/config/load-options.js';
import { Server } from '../../src/server/server.js';

let server: Server;
const lines: string[] = [];

async function start(config: string): Promise<void> {
  const options = await loadOptions({
    arguments: { values: { config: 'x.conf' }, words: [] },
    env: {},
    readFile: () => `listen: "127.0.0.1:-1"\n${config}`,
  });
  lines.length = 0;
  const note = (level: string) => (text: string) => void lines.push(`${level} ${text}`);
  const logger: Logger = { ...silentLogger, info: note('INF'), warn: note('WRN'), error: note('ERR') };
  server = new Server({ options, logger });
  await server.start();
}

afterEach(() => server.stop());

/** Everything that a peer is told until the connection ends. */
async function toldTo(url: string, says: Buffer | string): Promise<Buffer> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.write(says);
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

describe('ports of features that are not there yet', () => {
  const kinds = [
    ['cluster', 'cluster { name: c, listen: "127.0.0.1:-1" }', 'route', 'route connections on 127.0.0.1:'],
    ['leafnodes', 'leafnodes { listen: "127.0.0.1:-1" }', 'leafnode', 'leafnode connections on 127.0.0.1:'],
    ['gateway', 'gateway { name: g, listen: "127.0.0.1:-1" }', 'gateway', 'gateways connections on 127.0.0.1:'],
  ] as const;
  for (const [block, config, kind, listening] of kinds) {
    it(`${block}: open, warned of once, and refusing peers in their own protocol`, async () => {
      await start(config);
      const [url] = server.urls[block]!;
      expect(lines.filter((line) => line.startsWith(`INF Listening for ${listening}`))).toHaveLength(1);
      expect(lines.filter((line) => line.startsWith(`WRN "${block}" is not supported yet: port`))).toHaveLength(1);
      const told = (await toldTo(url, 'CONNECT {}\r\nPING\r\n'.repeat(500))).toString();
      const [info, error, end] = told.split('\r\n');
      expect(JSON.parse(info.replace('INFO ', ''))).toMatchObject({ server_id: server.identity.id, proto: 1 });
      expect(error).toBe(`-ERR '${kind} connections are not supported yet'`);
      expect(end).toBe('');
      expect(lines.at(-1)).toMatch(/^ERR 127\.0\.0\.1:\d+ - \w+ connection refused: not supported yet$/);
      expect(lines.at(-1)).toContain(kind);
    });
  }

  it('mqtt: answers CONNECT by CONNACK with "server unavailable"', async () => {
    await start('mqtt { listen: "127.0.0.1:-1" }');
    const connectPacket = Buffer.from('101000044d5154540402003c000474657374', 'hex');
    expect((await toldTo(server.urls.mqtt![0], connectPacket)).toString('hex')).toBe('20020003');
  });

  it('without a port: said once, and nothing opens', async () => {
    await start('leafnodes { remotes = [{ url: "nats://127.0.0.1:1" }] }');
    expect(server.urls.leafnodes).toBeUndefined();
    expect(lines).toContain('WRN "leafnodes" is not supported yet: nothing of it is at work');
  });

  it('taken by somebody else: the start fails, says which, and leaves nothing open', async () => {
    await start('');
    const taken = new URL(server.clientUrl).port;
    const cluster = { name: 'c', host: '127.0.0.1', port: Number(taken) };
    const other = new Server({ options: { cluster } });
    await expect(other.start()).rejects.toThrow(
      `Error listening on route port: 127.0.0.1:${taken}, "listen tcp 127.0.0.1:${taken}: bind: address already in use"`,
    );
    expect(other.urls.cluster).toBeUndefined();
  });
});
