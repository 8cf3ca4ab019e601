import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { weir } from '../cli/weir.js';
import { emit, guest, writingGuest } from '../hostile/guest.js';
import { tempFolder } from '../kit/temp-folder.js';
import { Stage, verdictGuest } from './stage.js';

const PASS = 0;
/** Drops what has no payload. */
const noEmpty = () => guest({ message: '(i32.eqz (local.get 7))' });

const folder = tempFolder();
let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open({ jetstream: true, storeDir: folder.path });
  const manager = await jetstreamManager(stage.client);
  await manager.streams.add({ name: 'S', subjects: ['s.>'] });
});
afterEach(async () => {
  await stage.close();
  folder.remove();
});

async function store(...messages: [subject: string, payload: string][]): Promise<void> {
  const js = jetstream(stage.client);
  for (const [subject, payload] of messages) await js.publish(subject, payload);
}

const backtest = (operation: string, body: object) => stage.done(operation, { stream: 'S', ...body });

describe('a backtest over a stream', () => {
  test('counts what a version says, and compares two', async () => {
    await stage.done('PLUGIN.INSTALL.p', await verdictGuest(PASS));
    await stage.done('PLUGIN.INSTALL.p', await noEmpty());
    await store(['s.a', 'x'], ['s.b', ''], ['s.a', 'y'], ['s.b', 'z']);
    expect(await backtest('PLUGIN.BACKTEST.p', {})).toMatchObject({
      ...{ plugin: 'p', version: 2, against_version: null, against: null, messages: 4, complete: true },
      ...{ first_sequence: 1, last_sequence: 4, different: 0, differences: [] },
      module: { verdicts: { pass: 3, drop: 1 }, faults: {}, fuel_per_message: expect.any(Number) },
    });
    expect(await backtest('PLUGIN.BACKTEST.p', { version: 2, against: 1 })).toMatchObject({
      ...{ version: 2, against_version: 1, messages: 4, different: 1 },
      against: { verdicts: { pass: 4 } },
      differences: [{ place: 2, subject: 's.b', module: { verdict: 'drop' }, against: { verdict: 'pass' } }],
    });
  });

  test('takes the last ones, those since a moment, and those of a subject', async () => {
    await stage.done('PLUGIN.INSTALL.p', await verdictGuest(PASS));
    const numbered = (from: number, to: number) =>
      store(
        ...Array.from({ length: to - from }, (_, i): [string, string] => [`s.${(from + i) % 2}`, String(from + i)]),
      );
    await numbered(0, 17);
    // The others are stored in another millisecond.
    const storedMs = Date.now();
    while (Date.now() < storedMs + 2);
    await numbered(17, 20);
    const seen = async (body: object) => {
      const { messages, first_sequence, last_sequence } = await backtest('PLUGIN.BACKTEST.p', body);
      return [messages, first_sequence, last_sequence];
    };
    expect(await seen({ last: 5 })).toEqual([5, 16, 20]);
    expect(await seen({ last: 3, filter: 's.0' })).toEqual([3, 15, 19]);
    expect(await seen({ last: 100, filter: 's.*' })).toEqual([20, 1, 20]);
    expect(await seen({ filter: 'other' })).toEqual([0, null, null]);
    const manager = await jetstreamManager(stage.client);
    const { time } = (await manager.streams.getMessage('S', { seq: 18 })) as unknown as { time: Date };
    expect(await seen({ since: time.toISOString() })).toEqual([3, 18, 20]);
    await manager.streams.deleteMessage('S', 19);
    expect(await seen({ last: 3 })).toEqual([3, 17, 20]);
  });

  test('compares with what is attached: its configuration, its subject; and changes nothing of it', async () => {
    await stage.bring('p', await verdictGuest(PASS), { subject: 's.in.*' });
    await stage.done('PLUGIN.INSTALL.p', await writingGuest(PASS, emit('else.where', 'x')));
    await store(['s.in.1', 'x'], ['s.out', 'x']);
    const emitted = await stage.listen('else.where');
    const counters = async () =>
      ((await stage.done('ATTACHMENT.INFO.p')).attachment as { counters: { calls: number } }).counters;
    const { calls } = await counters();
    expect(await backtest('ATTACHMENT.BACKTEST.p', {})).toMatchObject({
      ...{ plugin: 'p', version: 2, against_version: 1, messages: 1, different: 1 },
      differences: [
        {
          place: 1,
          module: { verdict: 'pass', emits: [{ subject: 'else.where', payload: 'x' }] },
          against: { verdict: 'pass' },
        },
      ],
    });
    expect((await counters()).calls).toBe(calls);
    expect(emitted).toEqual([]);
  });

  test('goes on when a version fails at every message, and leaves the event loop to others', async () => {
    await stage.done('PLUGIN.INSTALL.p', await guest({ message: '(loop (br 0)) unreachable' }));
    await store(...Array.from({ length: 60 }, (_, i): [string, string] => ['s.x', String(i)]));
    const answer = backtest('PLUGIN.BACKTEST.p', {});
    let served = 0;
    let done = false;
    void answer.finally(() => {
      done = true;
    });
    while (!done) {
      await stage.client.flush();
      served++;
    }
    expect(await answer).toMatchObject({ messages: 60, module: { verdicts: { error: 60 }, faults: { fuel: 60 } } });
    expect(served).toBeGreaterThan(10);
  });

  test('is refused for streams and versions that are not there, and while another one runs', async () => {
    await stage.done('PLUGIN.INSTALL.p', await guest({ message: '(loop (br 0)) unreachable' }));
    const refusal = async (operation: string, body: object) => (await stage.api(operation, body)).error;
    expect(await refusal('PLUGIN.BACKTEST.p', { stream: 'T' })).toMatchObject({ code: 404, err_code: 20050 });
    expect(await refusal('PLUGIN.BACKTEST.p', { stream: 'S', version: 7 })).toMatchObject({ err_code: 20020 });
    expect(await refusal('ATTACHMENT.BACKTEST.p', { stream: 'S' })).toMatchObject({ err_code: 20030 });
    expect(await refusal('PLUGIN.BACKTEST.p', { stream: 'S', filter: 's..x' })).toMatchObject({ err_code: 20001 });
    await store(...Array.from({ length: 30 }, (_, i): [string, string] => ['s.x', String(i)]));
    const first = backtest('PLUGIN.BACKTEST.p', {});
    expect(await refusal('PLUGIN.BACKTEST.p', { stream: 'S' })).toMatchObject({ code: 409, err_code: 20051 });
    await first;
  });
});

test('weir plugin backtest over a stream', { timeout: 60_000 }, async () => {
  await stage.bring('p', await verdictGuest(PASS), { subject: 's.>' });
  await stage.done('PLUGIN.INSTALL.p', await noEmpty());
  await store(['s.a', 'x'], ['s.b', '']);
  const run = (...args: string[]) => weir(['plugin', 'backtest', ...args, '--server', stage.server.clientUrl]);
  expect((await run('p@2', '--stream', 'S', '--against', '1')).stdout).toMatch(
    /^2 messages: 1 pass, 1 drop; \d+ fuel for each\n1 come out otherwise\nsequence 2 s\.b\n {2}module {2}\{"verdict":"drop"\}\n/,
  );
  expect((await run('p', '--stream', 'S', '--attachment', 'p', '--since', '1h', '--json')).stdout).toMatch(
    /"different": 1/,
  );
  expect((await run('p', '--stream', 'S', '--since', 'yesterday')).stderr).toContain('invalid --since "yesterday"');
  expect((await run('other', '--stream', 'S', '--attachment', 'p')).stderr).toContain('runs plugin "p", not "other"');
  expect((await run('p')).stderr).toContain('expected either a file of messages, or --stream');
});
