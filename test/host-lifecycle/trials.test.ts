import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { weir } from '../cli/weir.js';
import { emit, guest, writingGuest } from '../hostile/guest.js';
import { optionsOf } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';
import { Stage, verdictGuest } from './stage.js';

const PASS = 0;
const DROP = 1;

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open();
});
afterEach(() => stage.close());

const trial = async (name: string) =>
  ((await stage.done(`ATTACHMENT.INFO.${name}`)).attachment as { trial: Record<string, unknown> | null }).trial;

async function passing(subjects: readonly string[]): Promise<string[]> {
  const arrived = await stage.listen('p.>');
  for (const subject of subjects) stage.client.publish(subject, 'x');
  await stage.client.flush();
  return arrived.map(({ subject }) => subject);
}

const subjects = Array.from({ length: 400 }, (_, i) => `p.${i}`);

describe('a canary', () => {
  beforeEach(async () => {
    await stage.bring('p', await verdictGuest(PASS), { subject: 'p.>' });
    await stage.done('PLUGIN.INSTALL.p', await verdictGuest(DROP));
  });

  test('judges its share of the subjects, always the same ones, until it takes over', async () => {
    await stage.done('ATTACHMENT.CANARY.p', { share: 0.25 });
    const passed = await passing(subjects);
    expect(passed.length).toBeGreaterThan(200);
    expect(passed.length).toBeLessThan(380);
    expect(await passing(subjects)).toEqual(passed);
    expect(await trial('p')).toMatchObject({
      kind: 'canary',
      version: 2,
      share: 0.25,
      calls: 2 * (400 - passed.length),
    });
    await stage.done('ATTACHMENT.SWAP.p');
    expect(await passing(subjects)).toEqual([]);
    expect(await trial('p')).toBeNull();
  });

  test('at the stage deliver judges its share as well', async () => {
    await stage.done('ATTACHMENT.CREATE.p', {
      plugin: 'p',
      version: 1,
      subject: 'p.>',
      stage: 'deliver',
      replace: true,
    });
    expect(await passing(subjects)).toHaveLength(400);
    await stage.done('ATTACHMENT.CANARY.p', { share: 0.25 });
    const passed = await passing(subjects);
    expect(passed.length).toBeGreaterThan(200);
    expect(passed.length).toBeLessThan(380);
  });

  test('ends when it is stopped', async () => {
    await stage.done('ATTACHMENT.CANARY.p', { share: 1 });
    expect(await passing(['p.a'])).toEqual([]);
    expect((await stage.api('ATTACHMENT.SHADOW.p')).error?.description).toMatch(/has a canary or a shadow already/);
    expect(await stage.done('ATTACHMENT.STOP.p')).toMatchObject({ trial: { calls: 1 } });
    expect(await passing(['p.a'])).toEqual(['p.a']);
    expect((await stage.api('ATTACHMENT.STOP.p')).error?.description).toBe(
      'attachment "p" has no canary and no shadow',
    );
    expect((await stage.api('ATTACHMENT.CANARY.p', { share: 2 })).error?.description).toMatch(/share: /);
  });

  test('ends by itself when it fails again and again', async () => {
    await stage.done('PLUGIN.INSTALL.p', await guest({ message: 'unreachable' }));
    const events = await stage.listen('$WEIR.EVENT.canary.p');
    await stage.done('ATTACHMENT.CANARY.p', { share: 1 });
    await passing(['p.1', 'p.2', 'p.3', 'p.4', 'p.5']);
    await until(() => events.length === 2, 'the event', 10_000);
    expect(events[1].json()).toMatchObject({ state: 'failed', candidate: 3, cause: 'trap' });
    expect(await passing(['p.6'])).toEqual(['p.6']);
    expect(await stage.done('ATTACHMENT.INFO.p')).toMatchObject({
      attachment: { quarantined: false, dead_letters: 5 },
    });
  });
});

describe('a shadow', () => {
  test('sees the same messages, changes nothing, and differences are counted', async () => {
    await stage.bring('p', await verdictGuest(PASS), { subject: 'p.>', grants: { emit: ['other'] } });
    const candidate = await writingGuest(PASS, emit('other'), {
      extra: '',
      message:
        '(if (i32.eq (local.get 1) (i32.const 3)) (then (i32.store (i32.const 32) (i32.const 0)) (return (i32.const 0))))',
    });
    await stage.done('PLUGIN.INSTALL.p', candidate);
    await stage.done('ATTACHMENT.SHADOW.p');
    const emitted = await stage.listen('other');
    expect(await passing(['p.1', 'p.22', 'p.3'])).toEqual(['p.1', 'p.22', 'p.3']);
    expect(emitted).toEqual([]);
    expect(await trial('p')).toMatchObject({
      ...{ kind: 'shadow', version: 2, calls: 3, faults: 0, same: 2, different: 1 },
      samples: [{ subject: 'p.22', payload: 'x', active: 'pass', candidate: 'pass and 1 emits' }],
    });
  });
});

describe('circles', () => {
  const definition = (subject: string, emits: string[]) => ({ plugin: 'p', subject, grants: { emit: emits } });

  test('are refused where they can be seen', async () => {
    await stage.done('PLUGIN.INSTALL.p', await verdictGuest(PASS));
    const create = async (name: string, body: object) => (await stage.api(`ATTACHMENT.CREATE.${name}`, body)).error;
    expect(await create('self', definition('a.>', ['a.b']))).toMatchObject({
      err_code: 20040,
      description:
        'attachment "self": what it emits comes back to it ("self" → "self"); emit to other subjects, or add "force": true: a message is emitted at most 4 times in a row',
    });
    // What only may come back does not count, nor what leads elsewhere.
    expect(await create('one', definition('a.>', ['>']))).toBeUndefined();
    expect(await create('two', definition('b.*', ['c.x', 'd']))).toBeUndefined();
    expect(await create('three', definition('c.>', ['e']))).toBeUndefined();
    expect((await create('four', definition('e', ['b.x'])))?.description).toMatch(/"four" → "two" → "three" → "four"/);
    expect(await create('four', { ...definition('e', ['b.x']), force: true })).toBeUndefined();
  });

  test('are refused among the attachments that a configuration file declares', async () => {
    const folder = tempFolder();
    const module = join(folder.path, 'p.wasm');
    writeFileSync(module, await verdictGuest(PASS));
    const declared = (back: string) =>
      optionsOf(`plugins {
        modules { p: ${JSON.stringify(module)} }
        attachments {
          one { plugin: p, subject: "b.*", grants { emit: [c.x] } }
          two { plugin: p, subject: "c.>", grants { emit: [${back}] } }
        }
      }`);
    await expect(Stage.open(await declared('b.x'))).rejects.toThrow('("one" → "two" → "one")');
    const linear = await Stage.open(await declared('d.x'));
    const round = { ...linear.server.options, ...(await declared('b.x')) };
    await expect(linear.server.reload(round)).rejects.toThrow('("two" → "one" → "two")');
    expect(linear.server.host.attachments.size).toBe(2);
    await linear.close();
    folder.remove();
  });
});

test('backtest shows what comes out otherwise', { timeout: 60_000 }, async () => {
  const folder = tempFolder();
  const file = (name: string, contents: string | Uint8Array) => writeFileSync(join(folder.path, name), contents);
  file('old.wasm', await verdictGuest(PASS));
  file('new.wasm', await guest({ message: '(i32.eqz (local.get 7))' }));
  file('messages.ndjson', '{"subject":"a","data":"x"}\n{"subject":"b"}\n{"subject":"c","data_base64":"AAE="}\n');
  file('broken.ndjson', '{"subject":"a"}\n{"data":"x"}\n');
  const run = (...args: string[]) => weir(['plugin', 'backtest', ...args], { cwd: folder.path });
  expect((await run('new.wasm', 'messages.ndjson')).stdout).toMatch(
    /^3 messages: 2 pass, 1 drop; \d+ fuel for each\n$/,
  );
  expect((await run('new.wasm', 'messages.ndjson', '--against', 'old.wasm')).stdout).toMatch(
    /\n1 come out otherwise\nline 2 b\n {2}module {2}\{"verdict":"drop"\}\n {2}against \{"verdict":"pass"\}\n$/,
  );
  expect(await run('new.wasm', 'broken.ndjson')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('line 2: there is no "subject"; expected a line of JSON for each message'),
  });
  const refusals = {
    '--last goes with --stream, not with a file': ['new.wasm', 'messages.ndjson', '--last', '5'],
    'invalid --since "99999999999d"': ['noise', '--stream', 'S', '--since', '99999999999d'],
    'invalid version "other@3"': ['noise', '--stream', 'S', '--against', 'other@3'],
  };
  for (const [text, args] of Object.entries(refusals)) expect((await run(...args)).stderr).toContain(text);
  folder.remove();
});
