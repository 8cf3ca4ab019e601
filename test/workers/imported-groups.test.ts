import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callApi, Stage } from '../host-lifecycle/stage.js';
import { guest } from '../hostile/guest.js';
import { optionsOf } from '../kit/servers.js';
import { eventually, until } from '../kit/wait.js';

const CONFIG = `accounts {
  A { users: [{ user: a, password: x }], exports: [{ stream: "s.>" }] }
  B { users: [{ user: b, password: x }], imports: [{ stream: { account: A, subject: "s.>" } }] }
}`;
const COUNT = 200;
const DEADLINE_MS = 20_000;

/** A queue group with members in two accounts, where plugins of one of them see what it imports. */
describe.each(['loop', 'worker'])('a queue group across accounts, plugins in the %s', (tier) => {
  let stage: Stage;
  let a: NatsConnection;
  let b: NatsConnection;

  beforeEach(async () => {
    stage = await Stage.open(await optionsOf(CONFIG), {}, { user: 'a', pass: 'x' });
    a = stage.client;
    b = await connect({ servers: stage.server.clientUrl, user: 'b', pass: 'x' });
  });
  afterEach(async () => {
    await b.close();
    await stage.close();
  });

  const attach = async (message: string) => {
    await callApi(b, 'PLUGIN.INSTALL.p', await guest({ message }));
    const answer = await callApi(b, 'ATTACHMENT.CREATE.p', { plugin: 'p', subject: 's.>', tier });
    expect(answer.error).toBeUndefined();
  };
  const counters = async () => {
    const { attachment } = await callApi(b, 'ATTACHMENT.INFO.p');
    return (attachment as { counters: Record<string, number> }).counters;
  };
  const listen = async (connection: NatsConnection, queue?: string) => {
    const texts: string[] = [];
    connection.subscribe('s.x', {
      ...(queue && { queue }),
      callback: (_, message) => void texts.push(message.string()),
    });
    await connection.flush();
    return texts;
  };

  it('gives each message to one member, and shows it to the plugins once', async () => {
    await attach('i32.const 0');
    const [inA, inB] = [await listen(a, 'q'), await listen(b, 'q')];
    const [others, more, plain] = [await listen(b, 'r'), await listen(b, 'r'), await listen(b)];
    for (let i = 0; i < COUNT; i++) a.publish('s.x', String(i));
    await until(() => plain.length === COUNT && inA.length + inB.length === COUNT, 'all of it', DEADLINE_MS);
    await until(() => others.length + more.length === COUNT, 'what the other group gets', DEADLINE_MS);
    await Promise.all([a.flush(), b.flush()]);
    const all = [...inA, ...inB].map(Number).sort((one, other) => one - other);
    expect(all).toEqual(Array.from({ length: COUNT }, (_, i) => i));
    expect(Math.min(inA.length, inB.length)).toBeGreaterThan(COUNT / 5);
    // In order, whoever gets it.
    for (const texts of [inA, inB, plain])
      expect(texts.map(Number)).toEqual([...texts.map(Number)].sort((x, y) => x - y));
    expect(await counters()).toMatchObject({ passed: COUNT });
  });

  it('loses what a plugin keeps from the member that was chosen, and nothing else', async () => {
    // Drops what is longer than two bytes.
    await attach('(i32.gt_u (local.get 7) (i32.const 2))');
    const [inA, inB] = [await listen(a, 'q'), await listen(b, 'q')];
    for (let i = 0; i < COUNT; i++) a.publish('s.x', 'long');
    await eventually(async () => (await counters()).dropped === COUNT, 'the plugin to drop all of it', DEADLINE_MS);
    await Promise.all([a.flush(), b.flush()]);
    expect(inB).toEqual([]);
    expect(inA.length).toBeGreaterThan(COUNT / 5);
    expect(inA.length).toBeLessThan((COUNT * 4) / 5);
  });

  it('has a responder for a request, though its plugins answer later', async () => {
    await attach('i32.const 0');
    const inB = await listen(b);
    const told: number[] = [];
    a.subscribe('told', { callback: (_, message) => void told.push(message.headers?.code ?? 0) });
    a.publish('s.x', 'asked', { reply: 'told' });
    await until(() => inB.length === 1, 'the request', DEADLINE_MS);
    await a.flush();
    expect(told).toEqual([]);
  });
});
