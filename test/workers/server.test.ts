import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Server } from '../../src/server/server.js';
import { CONTROL_AT, guest, OUTBOX_AT } from '../hostile/guest.js';
import { addressOf, RawClient } from '../kit/raw-client.js';
import { until } from '../kit/wait.js';

const DEADLINE_MS = 20_000;
/** Drops what begins with "d", never ends for "s", traps for "t", rejects "r", and gives "x" another payload. */
const JUDGE = `(block $pass (block $replace (block $drop (block $reject (block $trap (block $stuck
    (br_if $stuck (i32.eq (i32.load8_u (local.get 6)) (i32.const 115)))
    (br_if $trap (i32.eq (i32.load8_u (local.get 6)) (i32.const 116)))
    (br_if $reject (i32.eq (i32.load8_u (local.get 6)) (i32.const 114)))
    (br_if $drop (i32.eq (i32.load8_u (local.get 6)) (i32.const 100)))
    (br_if $replace (i32.eq (i32.load8_u (local.get 6)) (i32.const 120)))
    (br $pass))
    (loop (br 0))) unreachable) (return (i32.const 3))) (return (i32.const 1)))
    (i32.store (i32.const ${OUTBOX_AT}) (i32.const 3)) (i32.store (i32.const ${OUTBOX_AT + 4}) (i32.const 3))
    (i32.store (i32.const ${OUTBOX_AT + 8}) (i32.const 0x77656e)) (i32.store (i32.const ${CONTROL_AT + 16}) (i32.const 12))
    (return (i32.const 2))) i32.const 0`;

interface Answer {
  error?: { description: string };
  attachment: { counters: { faults: object }; worker: object };
}

let server: Server;
let client: NatsConnection;

async function api(operation: string, payload: Uint8Array | string = ''): Promise<Answer> {
  const answer = await client.request(`$WEIR.API.${operation}`, payload, { timeout: DEADLINE_MS });
  return answer.json();
}

async function attach(name: string, definition: object): Promise<void> {
  const answer = await api(
    `ATTACHMENT.CREATE.${name}`,
    JSON.stringify({ plugin: name, tier: 'worker', ...definition }),
  );
  expect(answer.error?.description).toBeUndefined();
}

async function bring(name: string, wasm: Uint8Array, definition: object): Promise<void> {
  expect((await api(`PLUGIN.INSTALL.${name}`, wasm)).error?.description).toBeUndefined();
  await attach(name, definition);
}

beforeAll(async () => {
  server = new Server({ options: { payloadBytesMax: 8 * 1024 * 1024 } });
  await server.start();
  client = await connect({ servers: server.clientUrl });
});

afterAll(async () => {
  await client.close();
  await server.stop();
});

/** What arrives on a filter while `act` runs, as payloads. */
async function arrivals(filter: string, act: () => void | Promise<void>): Promise<string[]> {
  const arrived: Msg[] = [];
  const subscription = client.subscribe(filter, { callback: (_, message) => void arrived.push(message) });
  await act();
  await client.flush();
  subscription.unsubscribe();
  return arrived.map((message) => message.string());
}

describe('plugins in the worker tier of a server', () => {
  it('judge messages, and PONG comes behind what they let through', async () => {
    await bring('judge', await guest({ message: JUDGE }), { subject: 'judge.>', metering: 'off' });
    const payloads = ['a', 'drop', 'x', 'b'];
    const arrived = await arrivals('judge.>', () => {
      for (const payload of payloads) client.publish('judge.one', payload);
    });
    expect(arrived).toEqual(['a', 'new', 'b']);
  });

  it('keep the order of a publisher over all its subjects, whatever happens to the worker', async () => {
    const count = 5000;
    const arrived = await arrivals('>', () => {
      for (let i = 0; i < count; i++) {
        const payload = i === 2500 ? 'stuck' : i === 3001 ? 'trap' : `m${i}`;
        client.publish(i % 3 === 0 ? 'plain.subject' : `judge.${i % 7}`, payload);
      }
    });
    const numbers = arrived.filter((text) => /^m\d/.test(text)).map((text) => Number(text.slice(1)));
    const sent = Array.from({ length: count }, (_, i) => i).filter((i) => i !== 2500 && i !== 3001);
    expect(numbers).toEqual(sent);
    const { attachment } = await api('ATTACHMENT.INFO.judge');
    expect(attachment.counters.faults).toMatchObject({ watchdog: 1, trap: 1 });
    expect(attachment.worker).toMatchObject({ metering: 'off', waiting: 0, stuck: 1 });
  });

  it('tell a publisher of a reject, and a request of a fault', async () => {
    const raw = await RawClient.connected(addressOf(server.clientUrl), { headers: true, no_responders: true });
    raw.send(
      'SUB back 1\r\nPUB judge.a 6\r\nreject\r\nPUB judge.a back 6\r\nreject\r\nPUB judge.a back 5\r\nstuck\r\nPING\r\n',
    );
    expect(await raw.line(DEADLINE_MS)).toMatch(
      /^-ERR 'Permissions Violation for Publish to "judge.a": rejected with 400/,
    );
    expect(await raw.line()).toMatch(/^HMSG back 1 /);
    expect(await raw.line()).toMatch(/^NATS\/1.0 400 /);
    await raw.line();
    await raw.line();
    expect(await raw.line(DEADLINE_MS)).toMatch(/^HMSG back 1 /);
    expect(await raw.line()).toMatch(/^NATS\/1.0 500 plugin judge failed \(watchdog\)/);
    await raw.line();
    await raw.line();
    expect(await raw.line()).toBe('PONG');
    await raw.close();
  });

  it('let a subscription count from its place among the messages', async () => {
    const raw = await RawClient.connected(addressOf(server.clientUrl));
    raw.send(
      'PUB judge.s 5\r\nfirst\r\nSUB judge.s 7\r\nPUB judge.s 5\r\nlater\r\nUNSUB 7\r\nPUB judge.s 5\r\nthird\r\nPING\r\n',
    );
    expect(await raw.line(DEADLINE_MS)).toBe('MSG judge.s 7 5');
    expect(await raw.line()).toBe('later');
    expect(await raw.line()).toBe('PONG');
    await raw.close();
  });

  it('answer a request that nobody takes', async () => {
    await expect(client.request('judge.nobody', 'a', { timeout: DEADLINE_MS })).rejects.toThrow(/no responders/);
    await expect(client.request('judge.nobody', 'drop', { timeout: DEADLINE_MS })).rejects.toThrow(/no responders/);
  });

  it('deal with what a client sent before it left', async () => {
    const arrived: string[] = [];
    const subscription = client.subscribe('judge.last', {
      callback: (_, message) => void arrived.push(message.string()),
    });
    await client.flush();
    const raw = await RawClient.connected(addressOf(server.clientUrl));
    await raw.sendAndFlush(Buffer.from('PUB judge.last 1\r\na\r\nPUB judge.last 1\r\nb\r\n'));
    raw.socket.end();
    await until(() => arrived.length === 2, 'both messages', DEADLINE_MS);
    expect(arrived).toEqual(['a', 'b']);
    subscription.unsubscribe();
    await raw.close();
  });
});
