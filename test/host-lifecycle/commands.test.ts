import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Cli, type Ended, weir } from '../cli/weir.js';
import { guest } from '../hostile/guest.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';
import { Stage, verdictGuest } from './stage.js';

let stage: Stage;
let folder: ReturnType<typeof tempFolder>;
beforeEach(async () => {
  folder = tempFolder();
  stage = await Stage.open();
});
afterEach(async () => {
  await stage.close();
  folder.remove();
});

const run = (...args: string[]): Promise<Ended> => weir([...args, '-s', stage.server.clientUrl], { cwd: folder.path });

async function json(...args: string[]) {
  const done = await run(...args, '--json');
  expect(done).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(done.stdout);
}

const fragile = () => guest({ message: '(if (i32.eq (local.get 7) (i32.const 1)) (then unreachable)) i32.const 0' });

describe('weir plugin', { timeout: 90_000 }, () => {
  test('swaps, rolls back and changes budgets', async () => {
    await stage.bring('p', await verdictGuest(1));
    await stage.done('PLUGIN.INSTALL.p', await verdictGuest(0));
    expect((await run('plugin', 'swap', 'p')).stdout).toBe('p runs p version 2\n');
    expect((await run('plugin', 'rollback', 'p')).stdout).toBe('p runs p version 1\n');
    expect(await json('plugin', 'swap', 'p', '--to', '2', '--config', '{"a": 1}')).toMatchObject({ version: 2 });
    expect((await run('plugin', 'swap', 'p', '--to', '9')).stderr).toMatch(/plugin "p" has no version 9; it has 1, 2/);
    expect((await run('plugin', 'budget', 'p', '--fuel', '5000', '--cpu', '0.5')).stdout).toBe(
      'p has {"fuel_per_message":5000,"cpu_share":0.5}\n',
    );
    expect(await run('plugin', 'budget', 'p')).toMatchObject({ code: 2 });
  });

  test('installs a module that is larger than a message may be', async () => {
    await stage.close();
    stage = await Stage.open({ payloadBytesMax: 4096 });
    const extra = `(data (i32.const 4096) "${'x'.repeat(20_000)}")`;
    writeFileSync(join(folder.path, 'large.wasm'), await verdictGuest(0, 0, { extra }));
    expect((await run('plugin', 'install', 'large.wasm')).stdout).toMatch(/^installed large version 1 \(2\d{4} bytes/);
  });

  test('replays what failed, and delivers it again', async () => {
    const files = { fragile: await fragile(), mended: await verdictGuest(0) };
    for (const [name, wasm] of Object.entries(files)) writeFileSync(join(folder.path, `${name}.wasm`), wasm);
    await stage.bring('p', files.fragile);
    stage.client.publish('p.in', 'x');
    await stage.client.flush();
    // As its author has it.
    mkdirSync(join(folder.path, 'p'));
    const same = await run('plugin', 'replay', 'p', '--module', 'fragile.wasm');
    expect(same).toMatchObject({ code: 1, stdout: expect.stringContaining('  now  the same\n') });
    const { stdout } = await run('plugin', 'capsule', 'p');
    writeFileSync(join(folder.path, 'p.json'), stdout);
    const absent = await run('plugin', 'replay', 'absent.json');
    expect(absent).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot read the capsule "absent.json"') });
    const mended = await weir(['plugin', 'replay', 'p.json', '--module', 'mended.wasm'], { cwd: folder.path });
    expect(mended).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/1 of 1 frames failed in another[\s\S]*now {2}pass/),
    });
    await stage.done('PLUGIN.INSTALL.p', files.mended);
    await run('plugin', 'swap', 'p');
    const arrived = await stage.listen('p.in');
    expect((await run('plugin', 'redeliver', 'p')).stdout).toBe('delivered 1 dead letters of p again, 0 are left\n');
    await until(() => arrived.length === 1, 'the message', 10_000);
  });

  test('shows what attachments do, their logs and their events', async () => {
    // A log record with the level warn and the text "hi".
    const record = '(i32.const 131072)';
    const log = `(i32.store ${record} (i32.const 5)) (i32.store offset=4 ${record} (i32.const 6))
      (i32.store offset=8 ${record} (i32.const 2)) (i32.store offset=12 ${record} (i32.const 0x6968))
      (i32.store (i32.const 32) (i32.const 14)) i32.const 0`;
    await stage.bring('p', await guest({ message: log }), { grants: { log: true } });
    const at = ['-s', stage.server.clientUrl];
    const logs = new Cli(['plugin', 'logs', 'p', '--count', '1', ...at]);
    const events = new Cli(['plugin', 'events', '--count', '5', '--json', ...at]);
    await Promise.all([logs.says('following'), events.says('following')]);
    stage.client.publish('p.in', 'x');
    await stage.done('PLUGIN.INSTALL.p', await verdictGuest(0));
    await stage.done('ATTACHMENT.SWAP.p');
    await stage.done('ATTACHMENT.DELETE.p');
    expect((await logs.ended).stdout).toMatch(/^\S+Z warn {2}p: hi\n$/);
    const told = (await events.ended).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    // Each of the three commands is told of as an audit too.
    const isAudit = ({ type }: { type: string }) => type === 'io.weir.event.v1.audit';
    expect(told.filter(isAudit)).toMatchObject([
      { action: 'plugin.install', name: 'p', outcome: 'done' },
      { action: 'attachment.swap', name: 'p', outcome: 'done' },
      { action: 'attachment.delete', name: 'p', outcome: 'done' },
    ]);
    expect(told.filter((event) => !isAudit(event))).toMatchObject([
      { type: 'io.weir.event.v1.swapped', attachment: 'p', version: 2, from_version: 1 },
      { type: 'io.weir.event.v1.detached', attachment: 'p' },
    ]);
    await stage.bring('q', await verdictGuest(0));
    const [row] = await json('plugin', 'top', '--count', '1', '--interval', '100');
    expect(row).toMatchObject({ attachment: 'q', plugin: 'q', version: 1, state: 'active', faults_per_second: 0 });
    expect((await run('plugin', 'top', '--count', '1', '--interval', '100')).stdout).toMatch(
      /^ATTACHMENT +PLUGIN[\s\S]*\nq +q@1 +active/,
    );
  });

  test('says what a module is', async () => {
    writeFileSync(join(folder.path, 'p.wasm'), await verdictGuest(0));
    const { stdout } = await weir(['plugin', 'inspect', 'p.wasm'], { cwd: folder.path });
    expect(stdout).toMatch(
      /^p\.wasm: \d+ bytes, sha256 [0-9a-f]{64}\nmemory: 262144 bytes[\s\S]*hooks: none\nno manifest\n$/,
    );
    const bundled = await weir(['plugin', 'inspect', 'threshold', '--json'], { cwd: folder.path });
    expect(JSON.parse(bundled.stdout)).toMatchObject({ hooks: ['init'], manifest: { name: 'threshold' } });
  });
});

describe('the author', { timeout: 120_000 }, () => {
  let home: ReturnType<typeof tempFolder>;
  beforeAll(async () => {
    home = tempFolder();
    await weir(['plugin', 'new', 'door'], { cwd: home.path });
  });
  afterAll(() => home.remove());

  test('checks and times a plugin', async () => {
    const check = await weir(['plugin', 'check', 'door'], { cwd: home.path });
    expect(check.stdout).toMatch(
      /^LIMIT +USED[\s\S]*\nmodule, bytes +[\d,]+ +4,194,304[\s\S]*\nfuel of the dearest test case +[\d,]+ +1,000,000/,
    );
    const bench = JSON.parse((await weir(['plugin', 'bench', 'door', '--json'], { cwd: home.path })).stdout);
    expect(bench.results).toHaveLength(3);
    expect(bench.results[0].ns).toBeGreaterThan(0);
  });

  test('sees a save at work in less than a second', async () => {
    const at = ['-s', stage.server.clientUrl];
    const dev = new Cli(['plugin', 'dev', 'door', 'doors.>', '--config', '{"limit": 20}', '--json', ...at], {
      cwd: home.path,
    });
    await dev.says('watching');
    const arrived = await stage.listen('doors.a');
    const send = async () => {
      stage.client.publish('doors.a', '{"value": 10}');
      await stage.client.flush();
      return arrived.length;
    };
    expect(await send()).toBe(0);
    const source = join(home.path, 'door', 'assembly', 'index.ts');
    const text = readFileSync(source, 'utf8');
    const rounds = () =>
      dev.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    writeFileSync(source, text.replace('> limit', '> limit - 15'));
    await until(() => rounds().length === 2, 'the second round', 30_000);
    expect(await send()).toBe(1);
    // A mistake is told, and what ran before goes on.
    writeFileSync(source, text.replace('> limit', '> limitless'));
    await until(() => rounds().length === 3, 'the third round', 30_000);
    expect(rounds()[2].error).toMatch(/cannot build "door": [\s\S]*assembly\/index\.ts:\d+:\d+:.*limitless/);
    expect(await send()).toBe(2);
    writeFileSync(source, text.replace('> limit', '> limit - 14'));
    await until(() => rounds().length === 4, 'the fourth round', 30_000);
    await dev.signal('SIGINT');
    expect(await dev.ended).toMatchObject({ code: 0 });
    writeFileSync(source, text);
  });
});

test('completion knows the commands and their options', { timeout: 30_000 }, async () => {
  const { stdout } = await weir(['completion', 'bash']);
  const words = (line: string) => {
    const script = `${stdout}\nCOMP_WORDS=(${line} '')\nCOMP_CWORD=$((\${#COMP_WORDS[@]}-1))\n_weir\necho "\${COMPREPLY[@]}"`;
    return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split(' ');
  };
  expect(words('weir')).toEqual(expect.arrayContaining(['pub', 'plugin', 'completion']));
  expect(words('weir plugin')).toEqual(expect.arrayContaining(['swap', 'rollback', 'top']));
  expect(words('weir plugin attach filter')).toEqual(expect.arrayContaining(['--config', '--grant-state']));
  expect((await weir(['completion', 'fish'])).stdout).toContain("-n '__fish_seen_subcommand_from plugin;");
  expect((await weir(['completion', 'zsh'])).stdout).toContain('bashcompinit');
  expect(await weir(['completion', 'tcsh'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('unknown shell "tcsh"'),
  });
});
