// The `nats` command against a server on a real port, where that command is installed.
import { spawn } from 'node:child_process';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callApi, verdictGuest } from '../host-lifecycle/stage.js';
import { absent, findPeer } from '../kit/peers.js';
import { startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';

const nats = findPeer('nats');

interface Run {
  output: () => string;
  exited: Promise<number | null>;
  stop: () => void;
}

describe.skipIf(nats === null)(nats === null ? absent('nats') : 'the nats command', () => {
  let server: Awaited<ReturnType<typeof startWeir>>;
  const home = tempFolder();
  const running: Run[] = [];

  beforeAll(async () => {
    server = await startWeir();
  });
  afterEach(async () => {
    for (const run of running) run.stop();
    await Promise.all(running.splice(0).map((run) => run.exited));
  });
  afterAll(async () => {
    await server.stop();
    home.remove();
  });

  /** Starts the command with a home of its own, so that no context of the machine's user is taken. */
  function start(...args: string[]): Run {
    const env = { PATH: process.env.PATH, HOME: home.path, XDG_CONFIG_HOME: home.path, NO_COLOR: '1' };
    const child = spawn(nats!, ['--server', server.url, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
    const run = { output: () => output, exited, stop: () => void child.kill('SIGKILL') };
    running.push(run);
    return run;
  }

  async function run(...args: string[]): Promise<string> {
    const command = start(...args);
    const code = await command.exited;
    if (code !== 0) throw new Error(`nats ${args.join(' ')} ended with ${code}: ${command.output()}`);
    return command.output();
  }

  const subscribed = (count: number) => until(() => server.server.account.subscriptions >= count, 'the subscriptions');

  it('publishes and subscribes, headers too', async () => {
    const before = server.server.account.subscriptions;
    const subscriber = start('sub', 'cli.>', '--count=3');
    await subscribed(before + 1);
    await run('pub', 'cli.a', 'hello', '-H', 'Key:value');
    await run('pub', 'cli.b', '{{Count}}', '--count=2');
    expect(await subscriber.exited).toBe(0);
    for (const part of ['Received on "cli.a"', 'Key: value', 'hello', 'Received on "cli.b"']) {
      expect(subscriber.output()).toContain(part);
    }
  });

  it('asks and answers', async () => {
    const before = server.server.account.subscriptions;
    start('reply', 'cli.service', 'the answer');
    await subscribed(before + 1);
    expect(await run('req', 'cli.service', 'question')).toContain('the answer');
    const nobody = start('req', 'cli.nobody', 'question');
    await nobody.exited;
    expect(nobody.output()).toMatch(/no responders/i);
  });

  it('measures the round trip time and checks the connection', async () => {
    expect(await run('rtt')).toContain(server.url);
    expect(await run('server', 'check', 'connection')).toMatch(/^OK/m);
  });

  it('traces a message: who would get it, and who got it', async () => {
    const before = server.server.account.subscriptions;
    const receiver = start('sub', 'cli.traced', '--count=1');
    await subscribed(before + 1);
    const only = await run('trace', 'cli.traced', 'payload');
    expect(only).toMatch(/Client "NATS CLI Version .*" cid:\d+ server:/);
    expect(only).toMatch(/--C Client "NATS CLI Version .*" cid:\d+ subject:"cli\.traced"/);
    expect(receiver.output()).not.toContain('payload');
    await run('trace', 'cli.traced', 'payload', '--deliver');
    expect(await receiver.exited).toBe(0);
    expect(receiver.output()).toContain('payload');
    expect(await run('trace', 'cli.nobody')).toContain('No active interest');
  });

  it('traces a message that plugins in worker threads let through, or do not', async () => {
    const client = await connect({ servers: server.url });
    const attached = ['cli.passes', 'cli.drops', 'cli.rejects'];
    for (const [verdict, subject] of [0, 1, 3].map((verdict, i) => [verdict, attached[i]] as const)) {
      const name = subject.slice('cli.'.length);
      await callApi(client, `PLUGIN.INSTALL.${name}`, await verdictGuest(verdict));
      const { error } = await callApi(client, `ATTACHMENT.CREATE.${name}`, { plugin: name, subject, tier: 'worker' });
      expect(error).toBeUndefined();
    }
    const before = server.server.account.subscriptions;
    const receivers = attached.map((subject) => start('sub', subject, '--count=1'));
    await subscribed(before + attached.length);
    const said = await run('trace', 'cli.passes', 'payload', '--deliver');
    expect(said).toMatch(/--C Client "NATS CLI Version .*" cid:\d+ subject:"cli\.passes"/);
    expect(await receivers[0].exited).toBe(0);
    expect(receivers[0].output()).toContain('payload');
    expect(await run('trace', 'cli.drops', 'payload', '--deliver')).toContain('Dropped by a plugin');
    expect(await run('trace', 'cli.rejects', 'payload', '--deliver')).toContain('Rejected by a plugin: 400');
    expect(receivers.slice(1).some((receiver) => receiver.output().includes('payload'))).toBe(false);
    await client.close();
  });

  it('runs its benchmark', async () => {
    const before = server.server.account.subscriptions;
    const subscriber = start('bench', 'sub', 'cli.bench', '--msgs=20000', '--size=128', '--no-progress');
    await subscribed(before + 1);
    expect(await run('bench', 'pub', 'cli.bench', '--msgs=20000', '--size=128', '--no-progress')).toMatch(/msgs\/sec/);
    expect(await subscriber.exited).toBe(0);
    expect(subscriber.output()).toMatch(/msgs\/sec/);
  });
});
