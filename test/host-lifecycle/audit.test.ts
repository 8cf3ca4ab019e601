import { createHash } from 'node:crypto';
import { AckPolicy, jetstreamManager } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startWeirOn, type WeirUnderTest } from '../kit/judged.js';
import { addressOf, RawClient } from '../kit/raw-client.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';
import { callApi, verdictGuest } from './stage.js';

// biome-ignore lint/suspicious/noExplicitAny: events are looked into at will, and every look is an expectation.
type Json = Record<string, any>;

const CONFIG = `
  server_name: audited
  accounts {
    $SYS { users: [{ user: admin, password: p }] }
    A { users: [{ user: ann, password: p }], exports: [{ service: "$WEIR.API.>" }] }
    B { users: [{ user: bob, password: p }], imports: [{ service: { account: A, subject: "$WEIR.API.>" }, to: "a.>", share: true }] }
  }`;

let weir: WeirUnderTest;
const clients: NatsConnection[] = [];
const client = async (user: string, name = '') => {
  const connection = await connect({ servers: weir.url, user, pass: 'p', name, reconnect: false });
  clients.push(connection);
  return connection;
};
const collect = async (connection: NatsConnection, filter: string) => {
  const events: Json[] = [];
  connection.subscribe(filter, {
    callback: (_, message) => void events.push({ subject: message.subject, ...message.json<Json>() }),
  });
  await connection.flush();
  return events;
};

beforeEach(async () => {
  weir = await startWeirOn(CONFIG);
});
afterEach(async () => {
  for (const connection of clients.splice(0)) await connection.close();
  await weir.stop();
});

describe('changes of plugins', () => {
  it('are told in the account, to the system account and in the log: who, from where, what, and what came of it', async () => {
    const [ann, admin] = [await client('ann', 'deployer'), await client('admin')];
    const [own, system] = [
      await collect(ann, '$WEIR.EVENT.audit.>'),
      await collect(admin, '$SYS.ACCOUNT.*.PLUGIN.AUDIT'),
    ];
    const modules = [await verdictGuest(0), await verdictGuest(1)];
    const digests = modules.map((wasm) => createHash('sha256').update(wasm).digest('hex'));
    await callApi(ann, 'PLUGIN.INSTALL.p', modules[0]);
    await callApi(ann, 'ATTACHMENT.CREATE.x', { plugin: 'p', subject: 'x' });
    await callApi(ann, 'PLUGIN.INSTALL.p', modules[1]);
    await callApi(ann, 'ATTACHMENT.SWAP.x', { version: 2 });
    await callApi(ann, 'ATTACHMENT.BUDGET.x', { fuel_per_message: 50_000 });
    await callApi(ann, 'ATTACHMENT.ROLLBACK.x');
    await callApi(ann, 'ATTACHMENT.LIST');
    await callApi(ann, 'PLUGIN.DELETE.p');
    await callApi(ann, 'ATTACHMENT.DELETE.x');
    await callApi(ann, 'PLUGIN.DELETE.p');
    await until(() => system.length === 9, 'all of it to be told');
    const versions = [1, 2].map((version, i) => ({ plugin: 'p', version, sha256: digests[i] }));
    const [one, two] = versions;
    const found = own.map(({ action, name, before, after, outcome }) => [action, name, before, after, outcome]);
    const budgeted = { ...two, budget: { fuel_per_message: 50_000 } };
    expect(found).toEqual([
      ['plugin.install', 'p', null, one, 'done'],
      ['attachment.create', 'x', null, one, 'done'],
      ['plugin.install', 'p', one, two, 'done'],
      ['attachment.swap', 'x', one, two, 'done'],
      ['attachment.budget', 'x', two, budgeted, 'done'],
      ['attachment.rollback', 'x', expect.objectContaining(two), expect.objectContaining(one), 'done'],
      ['plugin.delete', 'p', two, two, 'refused'],
      ['attachment.delete', 'x', expect.objectContaining(one), null, 'done'],
      ['plugin.delete', 'p', two, null, 'done'],
    ]);
    expect(own[0]).toMatchObject({
      subject: '$WEIR.EVENT.audit.p',
      type: 'io.weir.event.v1.audit',
      time: expect.stringMatching(/Z$/),
      account: 'A',
      client: {
        user: 'ann',
        acc: 'A',
        host: '127.0.0.1',
        id: expect.any(Number),
        name: 'deployer',
        kind: 'Client',
        client_type: 'nats',
      },
    });
    expect(own[6].error).toMatch(/is used by attachment "x"/);
    expect(system[0]).toMatchObject({
      subject: '$SYS.ACCOUNT.A.PLUGIN.AUDIT',
      action: 'plugin.install',
      server: { name: 'audited' },
    });
    const lines = weir.lines.filter((line) => line.includes('Audit: '));
    expect(lines).toHaveLength(9);
    expect(lines[1]).toMatch(
      new RegExp(
        `^info Audit: attachment.create "x" \\("p" version 1, ${digests[0]}\\) in account "A" by user "ann" of account "A" from 127.0.0.1 \\(cid:\\d+\\): done$`,
      ),
    );
    expect(lines[6]).toMatch(/^warn Audit: plugin.delete "p" .*: refused, plugin "p" is used by attachment "x"$/);
  });

  it('name who asked from another account, and nobody’s own word for it', async () => {
    const [ann, bob] = [await client('ann'), await client('bob')];
    const own = await collect(ann, '$WEIR.EVENT.audit.>');
    await bob.request('a.PLUGIN.INSTALL.p', await verdictGuest(0), { timeout: 30_000 });
    const forged = headers();
    forged.set('Nats-Request-Info', JSON.stringify({ user: 'boss', acc: 'A' }));
    await ann.request('$WEIR.API.PLUGIN.DELETE.p', '', { timeout: 30_000, headers: forged });
    await until(() => own.length === 2, 'both to be told');
    expect(own.map(({ action, client: by }) => [action, by.user, by.acc])).toEqual([
      ['plugin.install', 'bob', 'B'],
      ['plugin.delete', 'ann', 'A'],
    ]);
  });

  it.each([
    ['behind a lone LF', 'NATS/1.0\r\nX: x\nNats-Request-Info: FORGED\r\n\r\n'],
    ['behind a separator of lines', 'NATS/1.0\r\nX: x\u2028Nats-Request-Info: FORGED\r\n\r\n'],
    [
      'that comes together when another one is taken out',
      'NATS/1.0\r\nX: x\r\r\nNats-Request-Info: y\nNats-Request-Info: FORGED\r\n\r\n',
    ],
    ['in headers without an end', 'NATS/1.0\r\nX: x\r\r\nNats-Request-Info: y\nNats-Request-Info: FORGED\r\nX: x'],
  ])('are not misled by a line of another account’s client %s', async (_, text) => {
    const own = await collect(await client('ann'), '$WEIR.EVENT.audit.>');
    const bob = await RawClient.connected(addressOf(weir.url), { user: 'bob', pass: 'p', headers: true });
    const block = Buffer.from(text.replace('FORGED', JSON.stringify({ user: 'boss', acc: 'A' })));
    bob.send(Buffer.concat([Buffer.from(`HPUB a.PLUGIN.DELETE.p r ${block.length} ${block.length}\r\n`), block]));
    bob.send('\r\n');
    await until(() => own.length === 1, 'the request to be told');
    expect(own[0].client).toMatchObject({ user: 'bob', acc: 'B' });
    await bob.close();
  });

  it('are not made by what a consumer delivers, whoever its messages say they are of', async () => {
    const folder = tempFolder();
    const streams = await startWeirOn(`jetstream { store_dir: ${JSON.stringify(folder.path)} }
      authorization { users: [
        { user: boss, password: p }
        { user: low, password: p, permissions { publish: ["$JS.API.>", "in.>"], subscribe: ">" } }
      ] }`);
    try {
      const come = async (user: string) => {
        const connection = await connect({ servers: streams.url, user, pass: 'p', reconnect: false });
        clients.push(connection);
        return connection;
      };
      const [boss, low] = [await come('boss'), await come('low')];
      const told = await collect(boss, '$WEIR.EVENT.audit.>');
      const manager = await jetstreamManager(low);
      const api = '$WEIR.API.PLUGIN.DELETE.p';
      const transform = { src: 'in.*', dest: '$WEIR.API.PLUGIN.DELETE.{{wildcard(1)}}' };
      await manager.streams.add({ name: 'S', subjects: ['in.>'], subject_transform: transform });
      let delivered = 0;
      low.subscribe('seen', { callback: () => void delivered++ });
      for (const [durable_name, deliver_subject] of [
        ['attack', api],
        ['honest', 'seen'],
      ])
        await manager.consumers.add('S', { durable_name, deliver_subject, ack_policy: AckPolicy.Explicit });
      const forged = headers();
      forged.set('Nats-Request-Info', JSON.stringify({ user: 'boss', acc: '$G' }));
      low.publish('in.p', '', { headers: forged });
      await until(() => delivered === 1, 'the message to be delivered', 10_000);
      // A request of one who may comes behind all that the other one led to.
      await callApi(boss, 'PLUGIN.DELETE.q');
      await until(() => told.length > 0, 'a request to be told', 10_000);
      expect(told.map(({ name }) => name)).toEqual(['q']);
    } finally {
      for (const connection of clients.splice(0)) await connection.close();
      await streams.stop();
      folder.remove();
    }
  });
});
