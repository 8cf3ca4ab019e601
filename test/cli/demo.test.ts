import { readdirSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterEach, describe, expect, test } from 'vitest';
import { until } from '../kit/wait.js';
import { Cli, projectFolder, weir } from './weir.js';

const running: Cli[] = [];
afterEach(async () => {
  for (const cli of running.splice(0)) await cli.signal('SIGTERM');
});

function demo(...args: string[]): Cli {
  const cli = new Cli(['demo', ...args]);
  running.push(cli);
  return cli;
}

/** The URL in the line that begins with this word. */
function urlOf(cli: Cli, word: string): string {
  return new RegExp(`^ *${word} +(\\S+)`, 'm').exec(cli.stdout)![1]!;
}

/** Listens on a port of 127.0.0.1; null when somebody else does. */
function occupy(port: number): Promise<Server | null> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(null));
    server.listen({ host: '127.0.0.1', port }, () => resolve(server));
  });
}

describe('weir demo', { timeout: 60_000 }, () => {
  test('shows messages before and after, what was dropped, and what it cost', async () => {
    const { code, stdout, stderr } = await demo('--messages', '500').ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.split('\n').map((line) => line.trim());
    const first = lines.findIndex((line) => line.startsWith('published'));
    expect(lines[first]).toContain('"date":"2012-01-01","precipitation":0,');
    expect(lines[first + 1]).toMatch(/^dropped +by wet-days \([\d,]+ fuel\)$/);
    expect(lines[first + 2]).toContain('"date":"2012-01-02","precipitation":10.9,"temp_max":10.6,"temp_min":2.8');
    const [, json] = /^delivered +(\{.*\}) \([\d,]+ fuel\)$/.exec(lines[first + 3]!)!;
    const delivered = JSON.parse(json!);
    expect(delivered).toMatchObject({ date: '2012-01-02', precipitation: 10.9, temp_max: expect.closeTo(51.08, 5) });
    expect(delivered).not.toHaveProperty('temp_min');
    expect(delivered.place).toBe('Seattle');
    expect(stdout).toMatch(/The chain cost [\d,]+ fuel and \d+\.\d µs per message\./);
    expect(stdout).not.toContain('\x1b');
  });

  test('filters its first message within ten seconds, stays up for others, and ends with 0', async () => {
    const startedMs = performance.now();
    const cli = demo();
    await cli.says('dropped    by wet-days');
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    await cli.says('Ctrl-C ends it.', 20_000);
    const client = await connect({ servers: urlOf(cli, 'clients') });
    const received: string[] = [];
    client.subscribe('weather.home', { callback: (_, message) => void received.push(message.string()) });
    client.publish('weather.home', '{"station":"SEA","precipitation":0}');
    client.publish('weather.home', '{"station":"SEA","precipitation":4.2,"temp_max":20}');
    await client.flush();
    expect(received.map((text) => JSON.parse(text))).toEqual([
      { station: 'SEA', precipitation: 4.2, temp_max: 68, place: 'Seattle' },
    ]);
    await cli.says('delivered  weather.home {');
    const pluginz = await fetch(`${urlOf(cli, 'monitoring')}/pluginz`);
    expect(((await pluginz.json()) as { attachments: object[] }).attachments).toHaveLength(4);
    const gone = client.closed();
    expect(await cli.signal('SIGINT')).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(cli.stdout.trimEnd().split('\n').at(-1)).toBe('The broker has stopped.');
    await client.close();
    await gone;
  });

  test('the commands that it shows work as they are', async () => {
    const cli = demo();
    await cli.says('Ctrl-C ends it.', 20_000);
    const shown = cli.stdout.match(/(?<=^ {2}npx weir ).*/gm)!;
    expect(shown.map((command) => command.split(' ').slice(0, 2).join(' '))).toEqual([
      "sub 'weather.>'",
      'pub weather.home',
      'pub weather.home',
      'plugin ls',
      'plugin detach',
      'plugin new',
    ]);
    const words = (command: string) =>
      Array.from(command.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, bare]) => quoted ?? bare!);
    const watching = new Cli([...words(shown[0]!), '--raw']);
    running.push(watching);
    await watching.says('subscribed');
    for (const command of shown.slice(1, 4)) expect(await weir(words(command))).toMatchObject({ code: 0, stderr: '' });
    await until(() => watching.stdout.includes('"precipitation":4.2'), 'the rainy day');
    expect(watching.stdout).not.toContain('{"station":"SEA","precipitation":0');
    expect(await weir(words(shown[4]!))).toMatchObject({ code: 0, stdout: 'detached wet-days\n' });
    await weir(words(shown[2]!));
    await until(() => watching.stdout.includes('{"station":"SEA","precipitation":0'), 'the dry day');
  });

  test('takes the next port when one is taken, and says so', async () => {
    const holders = [await occupy(4222), await occupy(8222)];
    try {
      const cli = demo('--messages', '1');
      expect((await cli.ended).code).toBe(0);
      expect(cli.stdout).toMatch(/clients +nats:\/\/127\.0\.0\.1:42\d\d +\(port 4222 is taken\)/);
      expect(cli.stdout).toMatch(/monitoring +http:\/\/127\.0\.0\.1:82\d\d +\(port 8222 is taken\)/);
    } finally {
      for (const holder of holders) holder?.close();
    }
  });

  test('ends at once when told to while it is busy', async () => {
    const cli = demo();
    await cli.says('published');
    expect(await cli.signal('SIGTERM')).toMatchObject({ code: 0, signal: null, stderr: '' });
  });
});

function newestMs(folder: string): number {
  const files = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  return Math.max(...files.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs));
}

/** `npm start` builds what is older than its sources, and other tests run from what is built. */
function isBuilt(): boolean {
  const built = statSync(join(projectFolder, 'dist', '.built'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return ['src', 'plugins', 'scripts'].every((folder) => newestMs(join(projectFolder, folder)) <= built);
}

describe('npm start', { timeout: 60_000 }, () => {
  const start = join(projectFolder, 'scripts', 'start.mjs');

  test.runIf(isBuilt())('runs the demo with its arguments (skipped: dist/ is older than the sources)', async () => {
    const cli = new Cli(['--messages', '2'], { script: start });
    running.push(cli);
    expect(await cli.ended).toMatchObject({ code: 0, stderr: '' });
    expect(cli.stdout).toContain('Four plugins are in the path');
    expect(await new Cli(['--bogus'], { script: start }).ended).toMatchObject({
      code: 2,
      stderr: "weir: unknown option '--bogus' (see: weir demo --help)\n",
    });
  });

  test.runIf(isBuilt())('ends with a signal (skipped: dist/ is older than the sources)', async () => {
    const cli = new Cli([], { script: start });
    running.push(cli);
    await cli.says('published');
    expect(await cli.signal('SIGTERM')).toMatchObject({ code: 0, signal: null });
  });
});
