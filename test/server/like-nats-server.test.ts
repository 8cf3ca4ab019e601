import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseArguments } from '../../src/config/arguments.js';
import { absent, findPeer } from '../kit/peers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';
import { type Command, type Ended, Program } from './program.js';

const peer = findPeer('nats-server');
const title =
  peer === null ? `the command beside nats-server (${absent('nats-server')})` : 'the command beside nats-server';

describe.skipIf(peer === null)(title, () => {
  const theirs: Command = { path: peer! };
  let folder: { path: string; remove: () => void };
  const running: Program[] = [];
  beforeAll(() => {
    folder = tempFolder();
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder.path, name), text);
  });
  afterEach(async () => {
    for (const program of running.splice(0)) await program.kill();
  });
  afterAll(() => folder.remove());

  const files = {
    'good.conf': 'port: -1\n',
    'unknown.conf': 'port: -1\n foo: 3\n',
    'full.conf': [
      '# everything that both read',
      'listen: "127.0.0.1:-1"',
      'N: 5',
      'max_subs: $N',
      'server_name: n1',
      'server_tags: [a , "b<>&"]',
      'server_metadata { "k": "é\\n\\t\\x01\\"", l: m }',
      'max_payload: 2mb, max_pending: 100MB; ping_interval: "1m30s"',
      'authorization { timeout: 1.50, users = [',
      '  { user: a, password: "$2a$11$abc", permissions { publish: ["x.>", y], allow_responses: true } }',
      '] }',
      'websocket { port: -1, no_tls: yes, compression: off, headers { A: "1" } }',
      'cluster { name: C, listen: "127.0.0.1:-1", connect_retries: 3 }',
    ].join('\n'),
  };

  const finish = (command: Command, args: readonly string[]): Promise<Ended> => {
    const program = new Program(command, args, folder.path);
    running.push(program);
    return program.ended;
  };

  describe('says and ends the same with', () => {
    const lines = [
      '-t',
      '-t -c good.conf',
      '-t -c unknown.conf',
      '-t -c full.conf',
      '-c nofile.conf',
      '-t -c nofile.conf',
      '--bogus',
      'foo',
      'foo --bogus',
      '-p',
      '-p abc',
      '-p=1.5',
      '-D=maybe',
      '---x',
      '-=x',
      '--signal',
      '--signal stop=99999999',
      '--signal bogus=99999999',
      '--signal reload=/no/such/file',
      '--signal stop=1=2',
      '--signal=term=1x*',
    ];
    for (const line of lines) {
      it(line, async () => {
        const args = line.split(' ');
        const [own, other] = await Promise.all([finish('nats-server', args), finish(theirs, args)]);
        // nats-server ends some errors with an empty line more.
        expect([own.code, own.stderr.trimEnd()]).toEqual([other.code, other.stderr.trimEnd()]);
        expect(own.stdout === '').toBe(other.stdout === '');
      });
    }
  });

  it('knows every flag of its usage, or refuses it by name', async () => {
    const { stdout } = await finish(theirs, ['--help']);
    const flags = [...stdout.matchAll(/(?<=^\s*|, ?)(--?)(\w+)/gm)].map(([, , name]) => name);
    expect(flags.length).toBeGreaterThan(50);
    const unknown = flags.filter((name) => {
      const parsed = parseArguments([`-${name}`, '1']);
      return 'error' in parsed && parsed.error.startsWith('flag provided but not defined');
    });
    expect(unknown).toEqual([]);
  });

  it('starts with the same lines in the same order, and writes the same ports file', async () => {
    const start = async (command: Command) => {
      const program = new Program(command, ['-c', 'full.conf', '-m', '-1', '--ports_file_dir', '.'], folder.path);
      running.push(program);
      await program.says('Server is ready');
      await program.says('Listening for route connections');
      const ports = join(folder.path, `nats-server_${program.pid}.ports`);
      // nats-server makes the file first, and writes it then.
      const text = () => (existsSync(ports) ? readFileSync(ports, 'utf8').trim() : '');
      await until(() => text().endsWith('}'), 'the ports file');
      const urls: Record<string, string[]> = JSON.parse(text());
      program.signal('SIGTERM');
      const { code, stderr } = await program.ended;
      return {
        code,
        lines: comparable(stderr),
        kinds: Object.keys(urls),
        first: comparable(JSON.stringify(urls.nats)),
      };
    };
    const [own, other] = await Promise.all([start('nats-server'), start(theirs)]);
    expect(own).toEqual(other);
  });
});

/** Log lines without what differs from server to server; routes open at another time, and some lines have no counterpart. */
function comparable(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\[\d+\] [\d/]+ [\d:.]+ /, ''))
    .filter((line) => !/Version:|Git:|Cluster:|Cluster name|route connections|"cluster" is not|Plaintext/.test(line))
    .map((line) => line.replace(/:\d{4,5}\b/g, ':PORT').replace(/N[A-Z2-7]{55}/, 'ID'));
}
