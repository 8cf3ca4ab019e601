// Sources and mirrors that are reached by subjects: in another account, in a domain, by a consumer's name.
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { absent, findPeer } from '../kit/peers.js';
import { type RunningServer, startProgram, startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { eventually } from '../kit/wait.js';

const natsServer = findPeer('nats-server');

const CONFIG = (folder: string) => `
jetstream { store_dir: ${JSON.stringify(folder)}, domain: "HERE" }
accounts {
  OWNER {
    jetstream: enabled
    users: [ { user: owner, password: p } ]
    exports: [
      { service: "$JS.API.CONSUMER.>" }
      { stream: "to.taker.>" }
      { service: "$JS.FC.>" }
    ]
  }
  TAKER {
    jetstream: enabled
    users: [ { user: taker, password: p } ]
    imports: [
      { service: { account: OWNER, subject: "$JS.API.CONSUMER.>" }, to: "owner.api.CONSUMER.>" }
      { stream: { account: OWNER, subject: "to.taker.>" } }
      { service: { account: OWNER, subject: "$JS.FC.>" } }
    ]
  }
}
`;
const EXTERNAL = { api: 'owner.api', deliver: 'to.taker' };

describe('streams of another account: weir', () => tests('weir', (config) => startWeir(config)));
describe.skipIf(natsServer === null)(
  `streams of another account: ${natsServer === null ? absent('nats-server') : 'nats-server'}`,
  () => tests('nats-server', (config) => startProgram(natsServer!, config)),
);

function tests(name: string, start: (config: string) => Promise<RunningServer>): void {
  const folder = tempFolder();
  let server: RunningServer;
  const connections = new Map<string, NatsConnection>();
  const as = (user: string) => {
    const connection = connections.get(user)!;
    return { connection, js: jetstream(connection), manager: () => jetstreamManager(connection) };
  };
  beforeAll(async () => {
    server = await start(CONFIG(folder.path));
    for (const user of ['owner', 'taker']) {
      const connection = await connect({ servers: server.url, user, pass: 'p', reconnect: false });
      connections.set(user, connection);
    }
  });
  afterAll(async () => {
    for (const connection of connections.values()) await connection.close();
    await server?.stop();
    folder.remove();
  });

  /** Asks the API: the client's own types do not know all fields. */
  async function create(user: string, config: object): Promise<{ error?: { err_code: number; description: string } }> {
    const { name: stream } = config as { name: string };
    return (await as(user).connection.request(`$JS.API.STREAM.CREATE.${stream}`, JSON.stringify(config))).json();
  }
  const messagesOf = async (user: string, stream: string) =>
    (await (await as(user).manager()).streams.info(stream)).state.messages;

  it('are taken as a source, with their subjects, as long as they grow', async () => {
    await create('owner', { name: 'S', subjects: ['s.>'] });
    for (let i = 0; i < 300; i++) await as('owner').js.publish(`s.${i % 3}`, String(i));
    const source = { name: 'S', external: EXTERNAL, subject_transforms: [{ src: 's.1', dest: 'taken.one' }] };
    expect((await create('taker', { name: 'T', sources: [source] })).error).toBeUndefined();
    await eventually(async () => (await messagesOf('taker', 'T')) === 100, '100 messages');
    await as('owner').js.publish('s.1', 'more');
    await eventually(async () => (await messagesOf('taker', 'T')) === 101, 'one more');
    const manager = await as('taker').manager();
    const last = await manager.streams.getMessage('T', { seq: 101 });
    expect([last?.subject, last?.string()]).toEqual(['taken.one', 'more']);
    const [info] = (await manager.streams.info('T')).sources!;
    expect(info).toMatchObject({ name: 'S', lag: 0, external: EXTERNAL });
    expect(info.active).toBeGreaterThan(0);
  });

  it('are mirrored with sequences and times', async () => {
    await create('owner', { name: 'M', subjects: ['m'] });
    for (let i = 0; i < 50; i++) await as('owner').js.publish('m', String(i));
    await (await as('owner').manager()).streams.deleteMessage('M', 10);
    expect((await create('taker', { name: 'MM', mirror: { name: 'M', external: EXTERNAL } })).error).toBeUndefined();
    await eventually(async () => (await messagesOf('taker', 'MM')) === 49, 'the messages');
    const message = async (user: string, stream: string, seq: number) =>
      (await (await as(user).manager()).streams.getMessage(stream, { seq }))!;
    expect((await message('taker', 'MM', 20)).timestamp).toBe((await message('owner', 'M', 20)).timestamp);
    expect((await message('taker', 'MM', 50)).string()).toBe('49');
  });

  it('keep what a work queue has until it is stored elsewhere', async () => {
    await create('owner', { name: 'W', subjects: ['w'], retention: 'workqueue' });
    for (let i = 0; i < 20; i++) await as('owner').js.publish('w', String(i));
    expect((await create('taker', { name: 'TW', sources: [{ name: 'W', external: EXTERNAL }] })).error).toBeUndefined();
    await eventually(async () => (await messagesOf('taker', 'TW')) === 20, 'the messages');
    await eventually(async () => (await messagesOf('owner', 'W')) === 0, 'an empty queue');
  });

  it('are taken in once they are there', async () => {
    await create('taker', { name: 'L', sources: [{ name: 'LATE', external: EXTERNAL }] });
    await create('owner', { name: 'LATE', subjects: ['late'] });
    await as('owner').js.publish('late', 'x');
    await eventually(async () => (await messagesOf('taker', 'L')) === 1, 'the message', 30_000);
  }, 40_000);

  it.runIf(name === 'weir')('may be in the own domain', async () => {
    await create('owner', { name: 'D', subjects: ['d'] });
    await as('owner').js.publish('d', 'x');
    const source = { name: 'D', external: { api: '$JS.HERE.API', deliver: '' } };
    expect((await create('owner', { name: 'DD', sources: [source] })).error).toBeUndefined();
    await eventually(async () => (await messagesOf('owner', 'DD')) === 1, 'the message');
  });

  it('are taken by a consumer that was made for it', async () => {
    await create('owner', { name: 'C', subjects: ['c'], retention: 'workqueue' });
    const config = { name: 'c', durable_name: 'c', ack_policy: 'flow_control', deliver_subject: 'to.c' };
    const { connection, js } = as('owner');
    const request = JSON.stringify({ stream_name: 'C', config });
    await connection.request('$JS.API.CONSUMER.CREATE.C.c', request);
    const source = { name: 'C', consumer: { name: 'c', deliver_subject: 'to.c' } };
    expect((await create('owner', { name: 'CC', sources: [source] })).error).toBeUndefined();
    await js.publish('c', 'x');
    await eventually(async () => (await messagesOf('owner', 'CC')) === 1, 'the message');
    await eventually(async () => (await messagesOf('owner', 'C')) === 0, 'an empty queue');
  });

  it.runIf(name === 'weir')(
    'are taken by one that waits for the answer to each message, without end',
    async () => {
      const config = {
        ...{ name: 'o', durable_name: 'o', ack_policy: 'flow_control', deliver_subject: 'to.o', max_ack_pending: 1 },
      };
      await create('owner', { name: 'O', subjects: ['o'], retention: 'workqueue', storage: 'memory' });
      const { connection } = as('owner');
      await connection.request('$JS.API.CONSUMER.CREATE.O.o', JSON.stringify({ stream_name: 'O', config }));
      for (let i = 0; i < 5_000; i++) connection.publish('o', String(i));
      await eventually(async () => (await messagesOf('owner', 'O')) === 5_000, 'the messages');
      const source = { name: 'O', consumer: { name: 'o', deliver_subject: 'to.o' } };
      expect((await create('owner', { name: 'OO', sources: [source], storage: 'memory' })).error).toBeUndefined();
      await eventually(async () => (await messagesOf('owner', 'OO')) === 5_000, 'the messages', 30_000);
      await eventually(async () => (await messagesOf('owner', 'O')) === 0, 'an empty queue');
    },
    40_000,
  );

  it.runIf(name === 'weir')('say at once that a domain cannot be reached', async () => {
    const source = { name: 'X', external: { api: '$JS.THERE.API', deliver: '' } };
    const { error } = await create('owner', { name: 'XX', sources: [source] });
    expect(error).toMatchObject({ err_code: 10052 });
    expect(error?.description).toMatch(/^the domain "THERE" of source "X" cannot be reached: this server has no leaf/);
  });
}
