import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { guest, writingGuest } from '../hostile/guest.js';
import { optionsOf } from '../kit/servers.js';
import { until } from '../kit/wait.js';
import { digitGuest } from './counting.js';
import { Stage, verdictGuest } from './stage.js';

let stage: Stage;
let others: NatsConnection[] = [];
beforeEach(async () => {
  stage = await Stage.open();
});
afterEach(async () => {
  await Promise.all(others.map((each) => each.close()));
  others = [];
  await stage.close();
});

async function other(user?: string): Promise<NatsConnection> {
  const made = await connect({ servers: stage.server.clientUrl, ...(user !== undefined && { user, pass: 'x' }) });
  others.push(made);
  return made;
}

async function listen(client: NatsConnection, subject: string, queue?: string): Promise<Msg[]> {
  const arrived: Msg[] = [];
  const callback = (_: unknown, message: Msg) => void arrived.push(message);
  client.subscribe(subject, { callback, ...(queue !== undefined && { queue }) });
  await client.flush();
  return arrived;
}

const texts = (messages: readonly Msg[]) => messages.map((message) => message.string());

async function send(subject: string, ...payloads: string[]): Promise<void> {
  for (const payload of payloads) stage.client.publish(subject, payload);
  await stage.client.flush();
  await Promise.all(others.map((each) => each.flush()));
}

async function attach(name: string, wasm: Uint8Array, definition: object = {}): Promise<void> {
  await stage.bring(name, wasm, { subject: 'a.>', stage: 'deliver', ...definition });
}

describe('the stage deliver', () => {
  test('runs once for a message, and all its receivers share what comes of it', async () => {
    await attach('count', await digitGuest());
    const { account } = stage.server;
    const before = account.subscriptions;
    const clients = [await other(), await other(), await other()];
    const arrived = await Promise.all(clients.map((each) => listen(each, 'a.*')));
    await send('a.x', 'p', 'p');
    for (const messages of arrived) expect(texts(messages)).toEqual(['1', '2']);
    expect(arrived[0][0].subject).toBe('a.x');
    // Nobody listens: nothing runs.
    await Promise.all(clients.map((each) => each.close()));
    others = [];
    await until(() => account.subscriptions === before, 'the clients to be gone', 10_000);
    await send('a.x', 'p');
    expect(await stage.done('ATTACHMENT.INFO.count')).toMatchObject({
      attachment: { stage: 'deliver', counters: { calls: 2 } },
    });
  });

  test('is for the receivers whose subscription is covered', async () => {
    await attach('count', await digitGuest(), { receivers: { subscription: 'a.*' } });
    const client = await other();
    const [narrow, exact, wide] = [
      await listen(client, 'a.*'),
      await listen(client, 'a.x'),
      await listen(client, 'a.>'),
    ];
    await send('a.x', 'p');
    expect([narrow, exact, wide].map(texts)).toEqual([['1'], ['1'], ['p']]);
  });

  test('is for the receivers of a queue group', async () => {
    await attach('count', await digitGuest(), { receivers: { queue: 'workers' } });
    const client = await other();
    const [plain, one, two] = [
      await listen(client, 'a.x'),
      await listen(client, 'a.x', 'workers'),
      await listen(client, 'a.x', 'others'),
    ];
    await send('a.x', 'p');
    expect([plain, one, two].map(texts)).toEqual([['p'], ['1'], ['p']]);
  });

  test('is for the receivers of a user', async () => {
    await stage.close();
    const users = '{user: ann, password: x}, {user: bob, password: x}, {user: root, password: x}';
    stage = await Stage.open(await optionsOf(`authorization { users = [${users}] }`), {}, { user: 'root', pass: 'x' });
    await attach('count', await digitGuest(), { receivers: { user: 'bob' } });
    const [ann, bob] = [await listen(await other('ann'), 'a.x'), await listen(await other('bob'), 'a.x')];
    await send('a.x', 'p');
    expect([ann, bob].map(texts)).toEqual([['p'], ['1']]);
  });

  test('filters: what is dropped counts as delivered', async () => {
    await attach('filter', await guest({ message: '(i32.eqz (local.get 7))' }));
    const client = await other();
    const arrived = await listen(client, 'a.x');
    await send('a.x', '', 'kept');
    expect(texts(arrived)).toEqual(['kept']);
    // There is a responder, which did not want the request: the requester waits in vain, and is not told that nobody is there.
    await expect(stage.client.request('a.x', '', { timeout: 200 })).rejects.toThrow(/timeout/);
  });

  test('goes through several plugins in order, each set of receivers through its own', async () => {
    await attach('upper', await digitGuest(), { order: 1 });
    await attach('drop', await guest({ message: '(i32.eq (i32.load8_u (local.get 6)) (i32.const 50))' }), {
      order: 2,
      receivers: { queue: 'q' },
    });
    const client = await other();
    const [all, some] = [await listen(client, 'a.x'), await listen(client, 'a.x', 'q')];
    await send('a.x', 'p', 'p', 'p');
    // The second chain runs the counting plugin too: its number is another one.
    expect(texts(all)).toEqual(['1', '3', '5']);
    expect(texts(some)).toEqual(['4', '6']);
  });

  test('what one chain made is not overwritten by what another makes of the same message', async () => {
    await attach('count', await digitGuest(), { receivers: { subscription: 'a.x' } });
    await attach('other', await digitGuest(), { receivers: { subscription: 'a.*' }, order: 5 });
    await stage.done('ATTACHMENT.BUDGET.other', { fuel_per_message: 999_999 });
    const client = await other();
    const arrived = [];
    for (const filter of ['a.x', 'a.*', 'a.x', 'a.*']) arrived.push(await listen(client, filter));
    await send('a.x', 'p', 'p', 'p');
    const [first, second, third, fourth] = arrived.map(texts);
    expect([third, fourth]).toEqual([first, second]);
    expect([...first, ...second].sort()).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  test('fails closed: the message becomes a dead letter once, and the publisher is not told', async () => {
    await attach('broken', await guest({ message: 'unreachable' }));
    const clients = [await other(), await other()];
    const arrived = await Promise.all(clients.map((each) => listen(each, 'a.x')));
    const letters = await stage.listen('$WEIR.DEAD.broken');
    await send('a.x', 'p');
    await stage.client.flush();
    expect(arrived.map(texts)).toEqual([[], []]);
    expect(texts(letters)).toEqual(['p']);
    // Delivered again, it goes to whoever listens now.
    await stage.done('PLUGIN.INSTALL.broken', await verdictGuest(0));
    await stage.done('ATTACHMENT.SWAP.broken');
    await stage.done('ATTACHMENT.REDELIVER.broken');
    await Promise.all(clients.map((each) => each.flush()));
    expect(arrived.map(texts)).toEqual([['p'], ['p']]);
  });

  test('may not give the message another subject', async () => {
    const subject = Buffer.concat([Buffer.from([1, 0, 0, 0, 3, 0, 0, 0]), Buffer.from('a.y\0')]);
    await attach('rename', await writingGuest(2, subject));
    const arrived = await listen(await other(), 'a.>');
    const letters = await stage.listen('$WEIR.DEAD.rename');
    await send('a.x', 'p');
    expect(texts(arrived)).toEqual([]);
    expect(letters[0].headers?.get('Weir-Error')).toBe('at the stage "deliver" a message keeps its subject');
  });

  test('refuses what makes no sense', async () => {
    await stage.done('PLUGIN.INSTALL.p', await verdictGuest(0));
    const refusal = async (definition: object) =>
      (await stage.api('ATTACHMENT.CREATE.p', { plugin: 'p', subject: 'a.>', ...definition })).error?.description;
    expect(await refusal({ receivers: { queue: 'q' } })).toMatch(/"receivers" is for the stage "deliver"/);
    expect(await refusal({ stage: 'deliver', failure: { trap: 'reject' } })).toMatch(/no publisher to reject/);
    expect(await refusal({ stage: 'deliver', receivers: { subscription: 'a..b' } })).toMatch(/"a\.\.b" is not a valid/);
    expect(await refusal({ stage: 'later' })).toMatch(/stage: .*"later"/);
  });

  test('does not concern the house: the control API goes on', async () => {
    await attach('drop', await verdictGuest(1), { subject: '>' });
    expect(await stage.done('ATTACHMENT.LIST')).toMatchObject({ total: 1 });
  });
});
