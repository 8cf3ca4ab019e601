import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VERSION, WEIR_VERSION } from '../../src/base/version.js';
import { addressOf, RawClient } from '../kit/raw-client.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';
import { type Command, type Ended, Program } from './program.js';

let folder: { path: string; remove: () => void };
const running: Program[] = [];

beforeEach(() => {
  folder = tempFolder();
});

afterEach(async () => {
  for (const program of running.splice(0)) await program.kill();
  folder.remove();
});

function run(args: readonly string[], command: Command = 'nats-server'): Program {
  const program = new Program(command, args, folder.path);
  running.push(program);
  return program;
}

function finish(args: readonly string[], command?: Command): Promise<Ended> {
  return run(args, command).ended;
}

function write(name: string, text: string): string {
  writeFileSync(join(folder.path, name), text);
  return name;
}

async function took(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** The messages of the log, without what is in front. */
function messages(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\[\d+\] (?:[\d/]+ [\d:.]+ )?/, ''));
}

async function ready(args: readonly string[], command?: Command): Promise<Program> {
  const program = run(['-a', '127.0.0.1', '-p', '-1', ...args], command);
  await program.says('Server is ready');
  return program;
}

function portsOf({ pid }: Program): Record<string, string[]> {
  return JSON.parse(readFileSync(join(folder.path, `nats-server_${pid}.ports`), 'utf8'));
}

describe('questions', () => {
  it('are answered on stdout, with exit code 0', async () => {
    for (const args of [['-v'], ['--version'], ['version']]) {
      expect(await finish(args)).toEqual({ code: 0, stdout: `nats-server: v${VERSION}\n`, stderr: '' });
    }
    expect((await finish(['-v'], 'weir')).stdout).toBe(`weir ${WEIR_VERSION}\n`);
    expect((await finish(['help'])).stdout).toContain('Usage: nats-server [options]');
    expect((await finish(['--help'], 'weir')).stdout).toContain('Usage: weir serve [options]');
  });

  it('about a configuration file', async () => {
    write('good.conf', 'port: -1\n');
    const digest = 'sha256:7ea4cc5c6864139d814ce940a40ee6546b7ac5285eec3c390a4ce11e34dc1102';
    expect(await finish(['-t', '-c', 'good.conf'])).toEqual({
      code: 0,
      stdout: '',
      stderr: `nats-server: configuration file good.conf is valid (${digest})\n`,
    });
    write('bad.conf', 'port: -1\n foo: 3\n');
    expect(await finish(['-t', '-c', 'bad.conf'])).toMatchObject({
      code: 1,
      stderr: 'nats-server: bad.conf:2:2: unknown field "foo"\n',
    });
    write('odd.conf', 'port: -1\nping_interval: 20\n');
    expect((await finish(['-t', '-c', 'odd.conf'])).code).toBe(1);
  });

  it('that are none are refused', async () => {
    expect(await finish(['foo'])).toMatchObject({ code: 1, stderr: 'nats-server: unrecognized command: "foo"\n' });
    // As nats-server: the usage, and 0. A command of our own may say it better.
    const unknown = await finish(['--bogus']);
    expect(unknown).toMatchObject({ code: 0, stderr: 'flag provided but not defined: -bogus\n' });
    expect(unknown.stdout).toContain('Usage:');
    expect((await finish(['--bogus'], 'weir')).code).toBe(1);
    const routes = await finish(['--routes', 'nats://127.0.0.1:6222']);
    expect(routes.code).toBe(1);
    expect(routes.stderr).toContain('flag is not supported yet by this server: -routes');
  });
});

describe('a start', () => {
  it('says so in the order of nats-server, and writes pid and ports files that go away again', async () => {
    write(
      'x.conf',
      'server_name: n1\nhttp_port: -1\nwebsocket { port: -1, no_tls: true }\ncluster { name: c, port: -1 }',
    );
    const program = await ready(['-c', 'x.conf', '-P', 'pid', '--ports_file_dir', '.']);
    await until(() => existsSync(join(folder.path, `nats-server_${program.pid}.ports`)), 'the ports file');
    expect(readFileSync(join(folder.path, 'pid'), 'utf8')).toBe(String(program.pid));
    const { nats, monitoring, websocket, cluster } = portsOf(program);
    expect(nats[0]).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/);
    expect(monitoring[0]).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(websocket[0]).toMatch(/^ws:\/\/127\.0\.0\.1:\d+$/);
    expect(cluster[0]).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/);
    program.signal('SIGTERM');
    expect((await program.ended).code).toBe(0);
    const port = (url: string) => new URL(url).port;
    expect(messages(program.stderr)).toEqual([
      '[INF] Starting nats-server',
      `[INF]   Version:  ${VERSION} (Weir ${WEIR_VERSION})`,
      '[INF]   Name:     n1',
      expect.stringMatching(/^\[INF\] {3}ID: {7}N[A-Z2-7]{55}$/),
      expect.stringMatching(/^\[INF\] Using configuration file: x\.conf \(sha256:[0-9a-f]{64}\)$/),
      `[INF] Starting http monitor on 127.0.0.1:${port(monitoring[0])}`,
      `[INF] Listening for websocket clients on ws://0.0.0.0:${port(websocket[0])}`,
      '[WRN] Websocket not configured with TLS. DO NOT USE IN PRODUCTION!',
      `[INF] Listening for route connections on 0.0.0.0:${port(cluster[0])}`,
      `[WRN] "cluster" is not supported yet: port ${port(cluster[0])} is open and refuses its peers`,
      `[INF] Listening for client connections on 127.0.0.1:${port(nats[0])}`,
      '[INF] Server is ready',
      '[INF] Trapped "terminated" signal',
      '[INF] Initiating Shutdown...',
      '[INF] Server Exiting..',
    ]);
    expect(readdirSync(folder.path)).toEqual(['x.conf']);
  });

  it('by weir serve has the same ports file', async () => {
    const program = await ready(['--ports_file_dir', '.'], 'weir');
    await until(() => existsSync(join(folder.path, `nats-server_${program.pid}.ports`)), 'the ports file');
    program.signal('SIGINT');
    expect((await program.ended).code).toBe(0);
  });

  it('on every address is reached by IPv4 and, where there is any, by IPv6', async () => {
    const program = run(['-p', '-1', '--ports_file_dir', '.']);
    await program.says('Server is ready');
    await until(() => existsSync(join(folder.path, `nats-server_${program.pid}.ports`)), 'the ports file');
    const { nats } = portsOf(program);
    expect(nats[0]).toMatch(/^nats:\/\/127\.0\.0\.1:/);
    for (const url of nats.filter((each) => /127\.0\.0\.1|\[::1\]/.test(each))) {
      const { hostname, port } = new URL(url);
      const client = await RawClient.open({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) });
      const { host, client_ip } = JSON.parse((await client.line()).slice(5));
      expect(host).toBe('0.0.0.0');
      expect(client_ip).toBe(hostname.replace(/^\[|\]$/g, ''));
      await client.close();
    }
  });

  it('on a port that is taken says so, ends with 1 and leaves no file', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const { code, stderr } = await finish(['-a', '127.0.0.1', '-p', String(port), '-P', 'pid']);
    taken.close();
    expect(code).toBe(1);
    const address = `127.0.0.1:${port}`;
    expect(messages(stderr).at(-1)).toBe(
      `[FTL] Error listening on port: ${address}, "listen tcp ${address}: bind: address already in use"`,
    );
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it('that cannot write its pid file ends; one that cannot write its ports file says so and goes on', async () => {
    const ended = await finish(['-a', '127.0.0.1', '-p', '-1', '-P', 'no/such/pid']);
    expect(ended.code).toBe(1);
    expect(messages(ended.stderr)[0]).toMatch(/^\[FTL\] Could not write pidfile: /);
    const program = await ready(['--ports_file_dir', 'no/such']);
    await program.says('[ERR] Error writing ports file (no/such/nats-server_');
    program.signal('SIGTERM');
    expect((await program.ended).code).toBe(0);
    const logless = await finish(['-l', 'no/such/log']);
    expect([logless.code, logless.stderr.split(':')[0]]).toEqual([1, 'nats-server']);
  });

  it('with a file that complains goes on', async () => {
    write('x.conf', 'ping_interval: 20\nno_sublist_cache: true\nauthorization { user: a, password: b }');
    const program = await ready(['-c', 'x.conf']);
    expect(program.stderr).toContain('ping_interval should be converted to a duration\n');
    expect(program.stderr).toContain('[WRN] x.conf:2:19: "no_sublist_cache" has no effect in this server');
    expect(program.stderr).toContain('[WRN] Plaintext passwords detected, use nkeys or bcrypt');
  });

  it('takes at most 250 ms, or little more than Node itself where that is slow', async () => {
    const attempts: string[] = [];
    // The machine may be busy with other tests: one start of some must be in time.
    const inTime = async () => {
      const nodeMs = await took(() => new Program({ path: process.execPath }, ['-e', '0']).ended);
      const readyMs = await took(async () => {
        const program = await ready([]);
        void program.kill();
      });
      attempts.push(`${Math.round(readyMs)} ms after Node in ${Math.round(nodeMs)} ms`);
      return readyMs <= Math.max(250, 4 * nodeMs);
    };
    for (let attempt = 0; attempt < 8; attempt++) if (await inTime()) return;
    expect.fail(attempts.join(', '));
  });
});

describe('signals', () => {
  it('HUP applies the file, and refuses what needs a restart', async () => {
    write('x.conf', 'authorization { token: a }\nmax_payload: 100');
    const program = await ready(['-c', 'x.conf', '--ports_file_dir', '.']);
    await until(() => existsSync(join(folder.path, `nats-server_${program.pid}.ports`)), 'the ports file');
    const address = addressOf(portsOf(program).nats[0]);
    const client = await RawClient.connected(address, { auth_token: 'a' });
    write('x.conf', 'authorization { token: a }\nmax_payload: 10\nlog_file: "new.log"\ndebug: true\ntrace: true');
    program.signal('SIGHUP');
    const log = () =>
      existsSync(join(folder.path, 'new.log')) ? readFileSync(join(folder.path, 'new.log'), 'utf8') : '';
    await until(() => log().includes('Reloaded server configuration (sha256:'), 'the reload');
    expect(log()).toContain('Reloaded: max_payload = 10');
    expect(log()).toContain('Reloaded: log_file = new.log');
    client.send('SUB traced 1\r\n');
    await client.expectQuiet();
    // Clients that were in before are traced, too.
    expect(log()).toContain('[TRC]');
    expect(log()).toContain('SUB traced 1');
    write('x.conf', 'authorization { token: b }\nserver_name: other');
    program.signal('SIGHUP');
    const refused =
      'Failed to reload server configuration: config reload not supported for ServerName: old=, new=other';
    await until(() => log().includes(refused), 'the refusal');
    write('x.conf', 'port: {');
    program.signal('SIGHUP');
    await until(
      () => log().includes('Failed to reload server configuration: x.conf:1:8: '),
      'the refusal with its place',
    );
    expect(log()).toMatch(/\[INF\] Audit: reload of x\.conf \(sha256:[0-9a-f]{64}\) by a signal: done/);
    expect(log()).toMatch(/\[WRN\] Audit: reload of x\.conf \(.*\) by a signal: refused, config reload not supported/);
    await client.expectQuiet();
    await client.close();
  });

  it('a reload that the system account asks for is told to it, with who asked', async () => {
    write(
      'x.conf',
      'accounts { $SYS { users: [{ user: admin, password: p }] }, A { users: [{ user: ann, password: p }] } }',
    );
    const program = await ready(['-c', 'x.conf', '--ports_file_dir', '.']);
    await until(() => existsSync(join(folder.path, `nats-server_${program.pid}.ports`)), 'the ports file');
    const url = portsOf(program).nats[0];
    const admin = await connect({ servers: url, user: 'admin', pass: 'p', reconnect: false });
    try {
      const { id } = (await admin.request('$SYS.REQ.SERVER.PING.IDZ', '', { timeout: 10_000 })).json<{ id: string }>();
      const told = admin.subscribe(`$SYS.SERVER.${id}.RELOAD`, { max: 2, timeout: 10_000 });
      await admin.request(`$SYS.REQ.SERVER.${id}.RELOAD`, '', { timeout: 10_000 });
      write('x.conf', 'port: {');
      await admin.request(`$SYS.REQ.SERVER.${id}.RELOAD`, '', { timeout: 10_000 });
      const events: object[] = [];
      for await (const message of told) events.push(message.json());
      const client = { user: 'admin', acc: '$SYS', host: '127.0.0.1', id: expect.any(Number) };
      expect(events).toMatchObject([
        { type: 'io.weir.event.v1.reload', outcome: 'done', digest: expect.stringMatching(/^sha256:/), client },
        {
          action: 'reload',
          file: 'x.conf',
          outcome: 'refused',
          error: expect.stringContaining('x.conf:1:8: '),
          client,
        },
      ]);
    } finally {
      await admin.close();
    }
  });

  it('HUP without a file says that there is nothing to read', async () => {
    const program = await ready([]);
    program.signal('SIGHUP');
    await program.says('[ERR] Failed to reload server configuration: can only reload config when a file is provided');
  });

  it('USR1 opens the log again, after it was put aside', async () => {
    const program = run(['-a', '127.0.0.1', '-p', '-1', '-l', 'log']);
    const text = (name: string) =>
      existsSync(join(folder.path, name)) ? readFileSync(join(folder.path, name), 'utf8') : '';
    await until(() => text('log').includes('Server is ready'), 'the server');
    renameSync(join(folder.path, 'log'), join(folder.path, 'log.1'));
    program.signal('SIGUSR1');
    await until(() => text('log').includes('File log re-opened'), 'the new file');
    expect(text('log.1')).toContain('Server is ready');
    expect(program.stderr).toBe('');
  });

  it('USR2 sees clients off, removes the files and ends with 0', async () => {
    write('x.conf', 'lame_duck_grace_period: "50ms"');
    const program = await ready(['-c', 'x.conf', '-P', 'pid', '--ports_file_dir', '.']);
    await until(() => existsSync(join(folder.path, `nats-server_${program.pid}.ports`)), 'the ports file');
    const client = await RawClient.connected(addressOf(portsOf(program).nats[0]), { protocol: 1 });
    program.signal('SIGUSR2');
    await client.line();
    expect(await client.line()).toContain('"ldm":true');
    await client.expectClosed();
    expect((await program.ended).code).toBe(0);
    expect(messages(program.stderr)).toContain('[INF] Entering lame duck mode, stop accepting new clients');
    expect(readdirSync(folder.path)).toEqual(['x.conf']);
  });

  it('can be sent by the command itself: to a pid, a pid file, and the beginning of a pid', async () => {
    const program = await ready(['-P', 'pid']);
    const send = (text: string) => finish(['--signal', text]);
    expect(await send('reopen=pid')).toEqual({ code: 0, stdout: '', stderr: '' });
    await program.says('Trapped "user defined signal 1" signal');
    expect((await send(`reload=${program.pid}`)).code).toBe(0);
    await program.says('Trapped "hangup" signal');
    // Other servers may run on this machine: only this one has all of these digits.
    expect((await send(`reopen=${program.pid}*`)).code).toBe(0);
    await program.says('Trapped "user defined signal 1" signal', 2);
    expect((await send('quit=pid')).code).toBe(0);
    expect((await program.ended).code).toBe(0);
    expect(await send('term=99999999')).toMatchObject({
      code: 1,
      stderr: 'nats-server: \nsignal "term" 99999999: no such process\n',
    });
  });
});
