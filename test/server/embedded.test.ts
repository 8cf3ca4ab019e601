import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { Server } from '../../src/server/server.js';
import { RawClient } from '../kit/raw-client.js';
import { until } from '../kit/wait.js';

const project = join(import.meta.dirname, '..', '..');

/** Handles that keep the process alive, beside those of the test runner. */
const handles = () =>
  process.getActiveResourcesInfo().filter((name) => /TCP|Timeout|Immediate|Worker|Message/.test(name));

const everything = {
  monitoring: { host: '127.0.0.1', port: 0, basePath: '' },
  cluster: { name: 'c', host: '127.0.0.1', port: 0 },
  websocket: {
    ...{
      host: '127.0.0.1',
      port: 0,
      advertise: '',
      tls: null,
      sameOrigin: false,
      allowedOrigins: [],
      compression: true,
    },
    ...{
      handshakeTimeoutMs: 2000,
      jwtCookie: '',
      userCookie: '',
      passwordCookie: '',
      tokenCookie: '',
      authorization: null,
    },
    ...{ noAuthUser: '', authTimeoutMs: null, headers: {}, pingIntervalMs: null },
  },
};

describe('an embedded server', () => {
  it('leaves no handle behind, with clients in it and every port open', async () => {
    const before = handles();
    const server = new Server({ options: everything });
    await server.start();
    const client = await connect({ servers: server.clientUrl, reconnect: false });
    client.subscribe('>');
    await client.flush();
    await fetch(`${server.urls.monitoring![0]}/varz`).then((answer) => answer.text());
    await server.stop();
    await client.closed();
    // The client's own socket may need one turn more.
    await until(() => handles().length <= before.length, 'handles to go', 500);
  });

  it('stops within bounds when a client does not read', async () => {
    const server = new Server();
    await server.start();
    const [host, port] = [server.options.host, Number(new URL(server.clientUrl).port)];
    const deaf = await RawClient.connected({ host, port });
    deaf.send('SUB flood 1\r\n');
    await deaf.expectQuiet();
    deaf.socket.pause();
    const sender = await RawClient.connected({ host, port });
    const message = Buffer.from(`PUB flood 100000\r\n${'x'.repeat(100_000)}\r\n`);
    for (let sent = 0; sent < 100; sent++) sender.send(message);
    await sender.expectQuiet();
    const startedMs = Date.now();
    await server.stop();
    expect(Date.now() - startedMs).toBeLessThan(2_500);
    await Promise.all([deaf.close(), sender.close()]);
  });

  it('can be stopped twice, before it was started, and while it starts', async () => {
    const never = new Server();
    await never.stop();
    const server = new Server();
    const starting = server.start();
    await Promise.all([server.stop(), server.stop(), starting]);
    await expect(connect({ servers: server.clientUrl, reconnect: false })).rejects.toThrow();
    await expect(server.start()).rejects.toThrow('cannot start');
  });

  it('lets the process end by itself', async () => {
    const script = `
      import { Server } from 'weir';
      import { connect } from '@nats-io/transport-node';
      const begin = process.cpuUsage();
      const server = new Server();
      await server.start();
      const { user, system } = process.cpuUsage(begin);
      const ms = (user + system) / 1000;
      const client = await connect({ servers: server.clientUrl });
      client.subscribe('a');
      await client.flush();
      await client.close();
      await server.stop();
      await new Promise((resolve) => setTimeout(resolve, 10));
      const left = process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY/.test(name));
      console.log(JSON.stringify({ ms, left }));`;
    const args = ['--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: project, timeout: 10_000 });
    const { ms, left } = JSON.parse(stdout);
    expect(left).toEqual([]);
    // Usually 5 of CPU time, which other tests do not lengthen; a reader of the README is promised 100.
    expect(ms).toBeLessThan(100);
  });
});
