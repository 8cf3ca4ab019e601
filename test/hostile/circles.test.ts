import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressOf, RawClient } from '../kit/raw-client.js';
import { until } from '../kit/wait.js';
import { emit, guest, records, repeat, writingGuest } from './guest.js';
import { Stage } from './stage.js';

const PASS = 0;
/** Uses about this much fuel, then passes. */
const busy = (fuel: number) => {
  const rounds = Math.floor(fuel / 7);
  return `(local.set 10 (i32.const ${rounds})) (loop (br_if 0 (local.tee 10 (i32.sub (local.get 10) (i32.const 1)))))`;
};
const LOCAL = '(local i32)';

describe('circles and floods', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.open();
  });
  afterEach(() => stage.close());

  function countersOf(name: string) {
    return stage.server.host.attachments.get(name)!.counters;
  }

  it('an emit into its own subject ends after four', async () => {
    await stage.bring('self', await writingGuest(PASS, emit('self.in', 'again')), {
      grants: { emit: ['self.in'] },
      force: true,
    });
    const letter = stage.deadLetterOf('self', () => undefined);
    const arrived = await stage.send('self', 'first');
    expect(arrived.map((message) => message.string())).toEqual(['first', 'again', 'again', 'again']);
    expect(await letter).toMatchObject({
      cause: 'output',
      text: expect.stringContaining('4 emits away from a publisher'),
    });
    expect(countersOf('self')).toMatchObject({ calls: 5, emits: 4, faults: { output: 1 } });
  });

  it('two attachments that emit to each other end after four', async () => {
    await stage.bring('ping', await writingGuest(PASS, emit('pong.in', 'pong')), {
      grants: { emit: ['pong.in'] },
      force: true,
    });
    await stage.bring('pong', await writingGuest(PASS, emit('ping.in', 'ping')), {
      grants: { emit: ['ping.in'] },
      force: true,
    });
    const arrived = await stage.send('ping', 'ping');
    expect(arrived.map((message) => message.subject)).toEqual(['ping.in', 'pong.in', 'ping.in', 'pong.in']);
  });

  it('eight emits into its own subject, each worth a whole budget: four thousand calls, and everyone is served between them', async () => {
    const eight = records(...new Array(8).fill(emit('fan.in')));
    const wasm = await writingGuest(PASS, eight, { locals: LOCAL, message: busy(900_000) });
    // The last row has faults: they must not stop the rest.
    const definition = { grants: { emit: ['fan.in'] }, force: true, failure: { default: 'drop' } };
    let order = 0;
    await stage.bring('fan', wasm, definition);
    await stage.contained(async () => {
      await stage.attach('fan', { ...definition, replace: true, order: order++ });
      stage.villain.publish('fan.in', 'x');
      await until(() => countersOf('fan').calls >= 8 + 1, 'the first emits');
      await stage.bystander.flush();
    });
    await stage.api('ATTACHMENT.DELETE.fan');
    await stage.settle();
  });

  it('a chunk of a thousand messages, each worth a whole budget: other connections are served between them', async () => {
    await stage.bring('busy', await guest({ locals: LOCAL, message: `${busy(900_000)} i32.const 0` }));
    const publisher = await RawClient.connected(addressOf(stage.server.clientUrl));
    const received: string[] = [];
    stage.villain.subscribe('busy.in', { callback: (_, message) => void received.push(message.string()) });
    await stage.villain.flush();
    let sent = 0;
    await stage.contained(async () => {
      const lines = Array.from({ length: 200 }, () => {
        const payload = String(sent++);
        return `PUB busy.in ${payload.length}\r\n${payload}\r\n`;
      });
      publisher.send(`${lines.join('')}PING\r\n`);
      await publisher.expect('PONG\r\n', 20_000);
    });
    await until(() => received.length === sent, 'all messages');
    expect(received).toEqual(Array.from({ length: sent }, (_, i) => String(i)));
    await publisher.close();
  });

  it('many connections with busy plugins take turns, each in its own order', async () => {
    await stage.bring('busy', await guest({ locals: LOCAL, message: `${busy(500_000)} i32.const 0` }), {
      subject: 'busy.*',
    });
    const received = new Map<string, string[]>();
    stage.villain.subscribe('busy.*', {
      callback: (_, message) => {
        const list = received.get(message.subject) ?? [];
        received.set(message.subject, list);
        list.push(message.string());
      },
    });
    await stage.villain.flush();
    const address = addressOf(stage.server.clientUrl);
    const publishers = await Promise.all(Array.from({ length: 10 }, () => RawClient.connected(address)));
    let round = 0;
    await stage.contained(async () => {
      const first = round++ * 20;
      publishers.forEach((publisher, i) => {
        const lines = Array.from({ length: 20 }, (_, k) => `PUB busy.${i} 4\r\n${String(first + k).padStart(4)}\r\n`);
        publisher.send(`${lines.join('')}PING\r\n`);
      });
      await Promise.all(publishers.map((publisher) => publisher.expect('PONG\r\n', 20_000)));
    });
    await stage.villain.flush();
    const expected = Array.from({ length: round * 20 }, (_, k) => String(k).padStart(4));
    for (let i = 0; i < publishers.length; i++) expect(received.get(`busy.${i}`)).toEqual(expected);
    await Promise.all(publishers.map((publisher) => publisher.close()));
  });

  it('a publisher that goes while its messages wait leaves nothing behind', async () => {
    await stage.bring('busy', await guest({ locals: LOCAL, message: `${busy(900_000)} i32.const 0` }));
    const publisher = await RawClient.connected(addressOf(stage.server.clientUrl));
    publisher.send(repeat('PUB busy.in 1\r\nx\r\n', 500).replaceAll('\n ', '\n'));
    await until(() => countersOf('busy').calls > 0, 'the first message');
    await publisher.close();
    await until(() => stage.server.door.sessions.size === 2, 'the session to be gone');
    const { calls } = countersOf('busy');
    await stage.bystander.flush();
    expect(countersOf('busy').calls).toBe(calls);
  });

  it('fifty attachments on one subject that each use up most of their budget: the last ones are not called', async () => {
    await stage.bring('crowd0', await guest({ locals: LOCAL, message: `${busy(900_000)} i32.const 0` }), {
      subject: 'crowd.in',
      order: 0,
    });
    for (let i = 1; i < 50; i++) await stage.attach(`crowd${i}`, { plugin: 'crowd0', subject: 'crowd.in', order: i });
    let order = 100;
    const letter = await stage.contained(async () => {
      await stage.attach('crowd5', { plugin: 'crowd0', subject: 'crowd.in', order: 5 + order++ / 1e6, replace: true });
      return stage.deadLetterOf('crowd5', () => stage.villain.publish('crowd.in', 'x'));
    });
    expect(letter).toMatchObject({
      cause: 'overload',
      text: expect.stringMatching(/the plugins before this one used \d{7} fuel on the message; 4000000 are/),
    });
    expect(countersOf('crowd49').calls).toBe(0);
  });

  it('a plugin that fails on every message is quarantined: a flood then costs next to nothing', async () => {
    await stage.bring('faulty', await guest({ message: '(loop (br 0)) i32.const 0' }), {
      failure: { default: 'drop' },
    });
    for (let i = 0; i < 1000; i++) stage.villain.publish('faulty.in', 'x');
    await stage.villain.flush();
    const { calls, faults } = countersOf('faulty');
    expect(calls).toBe(5);
    expect(faults).toEqual({ fuel: 5, unavailable: 995 });
  });
});
