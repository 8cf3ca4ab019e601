// Plugins beside the event loop and on it, one behind the other or one in the place of the other.
import { connect, headers } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countingGuest, numberIn } from '../host-lifecycle/counting.js';
import { Stage, verdictGuest } from '../host-lifecycle/stage.js';
import { emit, guest, writingGuest } from '../hostile/guest.js';
import { until } from '../kit/wait.js';

const DEADLINE_MS = 20_000;
const PASS = 0;
const DROP = 1;
const BESIDE = { tier: 'worker', metering: 'off' };

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open();
});
afterEach(() => stage.close());

const attachmentOf = (name: string) => stage.server.host.attachments.get(name)!;

it('a shadow of a plugin on the event loop sees what a plugin beside it let through', async () => {
  await stage.bring('first', await verdictGuest(PASS), { ...BESIDE, subject: 'x', order: 1 });
  await stage.bring('second', await verdictGuest(PASS), { subject: 'x', order: 2 });
  await stage.done('PLUGIN.INSTALL.second', await verdictGuest(DROP));
  await stage.done('ATTACHMENT.SHADOW.second');
  const arrived = await stage.listen('x');
  for (let i = 0; i < 5; i++) stage.client.publish('x', String(i));
  await stage.client.flush();
  expect(arrived.length).toBe(5);
  expect(attachmentOf('second').shadow).toMatchObject({ same: 0, different: 5 });
});

it('a plugin that moves to the event loop and back under load counts each message once', async () => {
  const messages = 20_000;
  const moves = 8;
  const definition = { plugin: 'count', subject: 'count.in', grants: { state: true }, replace: true };
  await stage.bring('count', await countingGuest(), { ...BESIDE, grants: { state: true } });
  const seen: number[] = [];
  stage.client.subscribe('count.in', { callback: (_, { data }) => void seen.push(numberIn(data)) });
  await stage.client.flush();
  const publisher = await connect({ servers: stage.server.clientUrl });
  let sent = 0;
  const publish = async () => {
    for (; sent < messages; sent++) {
      publisher.publish('count.in', 'x');
      if (sent % 500 === 499) await publisher.flush();
    }
    await publisher.flush();
  };
  const move = async () => {
    for (let i = 0; i < moves; i++) {
      await until(() => sent >= ((i + 0.5) * messages) / moves, 'the next move', 60_000);
      await stage.done('ATTACHMENT.CREATE.count', { ...definition, ...(i % 2 === 1 && BESIDE) });
    }
  };
  await Promise.all([publish(), move()]);
  await publisher.close();
  await until(() => seen.length >= messages, 'all messages', 60_000);
  expect(seen.length).toBe(messages);
  expect(seen.every((count, i) => count === i + 1)).toBe(true);
}, 120_000);

it('what plugins emit waits in its queue while a worker is stuck with what they emitted before', async () => {
  const messages = 4_000;
  const stuckOnce = await guest({
    message: '(if (i32.eq (local.get 7) (i32.const 1)) (then (loop (br 0)))) i32.const 0',
  });
  await stage.bring('slow', stuckOnce, { ...BESIDE, subject: 'slow', budget: { watchdog_ms: 3_000 } });
  await stage.bring('emits', await writingGuest(PASS, emit('slow', 'x')), { grants: { emit: ['slow'] } });
  await stage.bring('emits-plain', await writingGuest(PASS, emit('plain', 'y')), { grants: { emit: ['plain'] } });
  const arrived = await stage.listen('plain');
  stage.client.publish('emits.in');
  for (let i = 0; i < messages; i++) stage.client.publish('emits-plain.in');
  await stage.client.flush();
  expect(attachmentOf('slow').seat!.depth).toBe(1);
  expect(stage.server.host.emits.length).toBeGreaterThan(messages / 2);
  await until(() => arrived.length >= messages, 'what was emitted', DEADLINE_MS);
  expect(arrived.length).toBe(messages);
  expect([stage.server.host.emits.length, stage.server.host.emits.lost]).toEqual([0, 0]);
});

describe('the trace alone of a message', () => {
  const traced = async (subject: string) => {
    const set = headers();
    set.set('Nats-Trace-Dest', 'traces');
    set.set('Nats-Trace-Only', 'true');
    const traces = await stage.listen('traces');
    stage.client.publish(subject, 'x', { headers: set });
    await until(() => traces.length === 1, 'the trace', DEADLINE_MS);
    return traces[0].json<{ plugins: object[] }>().plugins;
  };

  it('asks a plugin of the worker tier whose calls are short', async () => {
    await stage.bring('short', await verdictGuest(DROP), { tier: 'worker' });
    expect(await traced('short.in')).toMatchObject([{ attachment: 'short', verdict: 'drop' }]);
  });

  it.each([
    ['without metering', BESIDE],
    ['with much fuel', { tier: 'worker', budget: { fuel_per_message: 1_000_000_000 } }],
  ])('does not ask one %s: the event loop would wait for it', async (_, definition) => {
    await stage.bring('long', await guest({ message: '(loop (br 0)) i32.const 0' }), definition);
    expect(await traced('long.in')).toMatchObject([
      { attachment: 'long', verdict: 'fault', error: expect.stringMatching(/too long for the event loop/) },
    ]);
  });
});
