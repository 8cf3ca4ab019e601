// What `nats server …` and `nats account …` print of Weir and of nats-server, side by side.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWeirOn } from '../kit/judged.js';
import { absent, findPeer } from '../kit/peers.js';
import { type RunningServer, startProgram } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';

const nats = findPeer('nats');
const judge = findPeer('nats-server');
const missing = nats === null ? 'nats' : judge === null ? 'nats-server' : null;
const DEADLINE_MS = 20_000;

const config = (folder: string) => `
  server_name: S
  jetstream { store_dir: ${JSON.stringify(folder)}, max_memory_store: 64MB, max_file_store: 64MB }
  accounts {
    "$SYS" { users: [{ user: admin, password: p }] }
    A { jetstream: enabled, users: [{ user: ann, password: p }] }
    B {
      exports: [
        { service: "svc.>", latency: { subject: lat, sampling: headers }, accounts: [C], response_type: singleton }
        { service: many, response_type: stream }
        { stream: "s.>" }
      ]
      mappings: { "a.*": "b.$1" }
    }
    C {
      imports: [
        { service: { account: B, subject: "svc.one" }, to: ask, share: true }
        { service: { account: B, subject: many } }
        { stream: { account: B, subject: "s.x" }, prefix: from.b }
        { stream: { account: B, subject: "s.y" } }
      ]
    }
  }`;

/** The output without what differs from run to run: numbers, keys, and how wide that makes tables. */
function shape(output: string): string {
  return output
    .replace(/N[A-Z2-7]{55}/g, 'ID')
    .replace(/\d+(?:[.,]\d+)*(?:e-\d+)?/g, '#')
    .replace(/#(?:µs|ms|s|m)/g, '#T')
    .replace(/# (?:B|KiB|MiB|GiB)/g, '# B')
    .replace(/[─┬┴┼╮╭╰╯├┤ ]+/g, ' ');
}

describe.skipIf(missing !== null)(missing === null ? 'the nats command, about servers' : absent(missing), () => {
  const servers: RunningServer[] = [];
  const folders = [tempFolder(), tempFolder(), tempFolder()];
  const [home] = folders;

  beforeAll(async () => {
    servers.push(await startWeirOn(config(folders[1].path)), await startProgram(judge!, config(folders[2].path)));
    for (const server of servers) await run(server, 'ann', 'stream', 'add', 'X', '--subjects=x', '--defaults');
  });
  afterAll(async () => {
    for (const server of servers) await server.stop();
    for (const folder of folders) folder.remove();
  });

  async function run({ url }: RunningServer, user: string, ...args: string[]): Promise<string> {
    const env = { PATH: process.env.PATH, HOME: home.path, XDG_CONFIG_HOME: home.path, NO_COLOR: '1' };
    const login = ['--server', url, '--user', user, '--password', 'p', '--timeout', '5s'];
    const running = promisify(execFile)(nats!, [...login, ...args], { env, timeout: DEADLINE_MS });
    return running.then(
      ({ stdout, stderr }) => `${stdout}${stderr}`,
      ({ code, stdout, stderr }) => `${stdout}${stderr}exit ${code}`,
    );
  }

  it.each([
    'server ls',
    'server ping --count=1',
    'server report connections',
    'server report accounts',
    'server report jetstream',
    'server report health',
    'server report routes',
    'server report gateways',
    'server report leafnodes',
    'server check connection',
    'server check server --name S',
    'server check jetstream',
    'server request kick 1000000',
    'server request jetstream-health --js-enabled',
    'server info S',
    'server info nowhere',
    'server account info nowhere',
    'server report mem',
    'server report downgrade 1',
    'server check connection --format json',
    'server check connection --format prometheus',
    'server check connection --format text',
    'server check meta --expect 1 --lag-critical 1 --seen-critical 1s',
  ])('%s', async (line) => {
    const [ours, theirs] = await Promise.all(servers.map((server) => run(server, 'admin', ...line.split(' '))));
    const plain = (output: string) =>
      shape(output)
        .replace(/"feature_flags":\{.*?\},/g, '')
        .replace(/"flags":#,/g, '')
        .replace(/^.*(?:Go Version|Digest|Storage Directory|Always sync|Compression|Batches Per Server).*\n/gm, '');
    expect(plain(ours)).toBe(plain(theirs));
  });

  it.each(['B', 'C'])('server request accounts --account %s', async (name) => {
    const details = servers.map(async (server) => {
      const answer = await run(server, 'admin', 'server', 'request', 'accounts', '--account', name);
      const { exports = [], imports = [], mappings = {} } = JSON.parse(answer).data.account_detail;
      const own = imports.filter(({ account }: { account: string }) => account !== '$SYS');
      const bySubject = (list: { subject: string }[]) =>
        list.sort((one, other) => (one.subject < other.subject ? -1 : 1));
      return { exports: bySubject(exports), imports: bySubject(own), mappings };
    });
    const [ours, theirs] = await Promise.all(details);
    expect(ours).toMatchObject(theirs);
    expect(ours.imports).toEqual(theirs.imports);
  });

  it.each([
    'account info',
    'account report connections',
    'account report statistics',
    'rtt',
    'trace a.b',
    'trace x',
    'server check connection',
    'server check jetstream',
    'server check jetstream --format json',
    'server check stream --stream X --peer-expect 1',
    'server check stream --stream nowhere',
    'server check consumer --stream X --consumer C',
    'server check message --stream X --subject x',
    'server check message --stream X --subject nothing',
    'server check kv --bucket nowhere',
    'server check request --subject nobody',
    'server info S',
    'stream ls',
    'stream report',
  ])('%s', async (line) => {
    const [ours, theirs] = await Promise.all(servers.map((server) => run(server, 'ann', ...line.split(' '))));
    const plain = (output: string) => shape(output).replace(/nats:\/\/\S+/g, 'URL');
    expect(plain(ours)).toBe(plain(theirs));
  });

  it.each([
    'variables',
    'subscriptions',
    'connections',
    'routes',
    'gateways',
    'leafnodes',
    'accounts',
    'jetstream',
    'raft',
  ])('server request %s', async (what) => {
    for (const server of servers) {
      const answer = JSON.parse(await run(server, 'admin', 'server', 'request', what));
      expect(answer).toMatchObject({ server: { name: 'S' }, data: expect.any(Object) });
    }
  });
});
