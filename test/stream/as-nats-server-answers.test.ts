// Answers to unusual requests, as nats-server 2.15 gives them; no peer is needed.
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SubjectTransform } from '../../src/subject/transform.js';
import { type RunningServer, startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';

interface Answer {
  error?: { err_code: number; description: string };
  config: Record<string, unknown>;
  [field: string]: unknown;
}

describe('as nats-server answers', () => {
  const folder = tempFolder();
  let server: RunningServer;
  let connection: NatsConnection;
  const start = async () => {
    server = await startWeir(`jetstream { store_dir: ${JSON.stringify(folder.path)} }`);
    connection = await connect({ servers: server.url, reconnect: false });
  };
  const stop = async () => {
    await connection?.close();
    await server?.stop();
  };
  beforeAll(start);
  afterAll(async () => {
    await stop();
    folder.remove();
  });

  const publish = async (subject: string, values: Record<string, string> = {}): Promise<Answer> => {
    const all = headers();
    for (const [name, value] of Object.entries(values)) all.append(name, value);
    return (await connection.request(subject, 'x', { timeout: 10_000, headers: all })).json();
  };
  const api = async (operation: string, body: unknown = ''): Promise<Answer> => {
    const payload = typeof body === 'string' ? body : JSON.stringify(body);
    return (await connection.request(`$JS.API.${operation}`, payload, { timeout: 10_000 })).json();
  };
  const createStream = (name: string, more: object = {}) =>
    api(`STREAM.CREATE.${name}`, { name, subjects: [`${name}.>`], ...more });
  const pull = (stream: string, consumer: string, body: object) =>
    connection.request(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(body), { timeout: 10_000 });

  describe('publishing', () => {
    it('tells a time to live that is none before one that is not allowed', async () => {
      await createStream('P1');
      expect((await publish('P1.a', { 'Nats-TTL': 'abc' })).error).toMatchObject({ err_code: 10165 });
      expect((await publish('P1.a', { 'Nats-TTL': '1s' })).error).toMatchObject({ err_code: 10166 });
    });

    it.each(['1e0', '0x1', '+1', '1.0'])('takes %s for no sequence', async (text) => {
      await createStream('P2', { max_msgs: 1 });
      const { seq } = await publish('P2.a');
      expect(seq).toBe(1);
      for (const name of ['Nats-Expected-Last-Sequence', 'Nats-Expected-Last-Subject-Sequence'])
        expect((await publish('P2.a', { [name]: text })).error).toMatchObject({ err_code: 10071 });
      await api('STREAM.DELETE.P2');
    });

    it('expects nothing when an expected sequence is empty', async () => {
      await createStream('P3');
      await publish('P3.a');
      expect(await publish('P3.a', { 'Nats-Expected-Last-Sequence': '' })).toMatchObject({ seq: 2 });
    });
  });

  describe('streams', () => {
    it('tells a removal beyond the end from one of what is gone, but not in memory', async () => {
      for (const storage of ['file', 'memory']) {
        await createStream('S1', { storage });
        await publish('S1.a');
        const { error } = await api('STREAM.MSG.DELETE.S1', { seq: 9 });
        expect(error?.description).toBe(storage === 'file' ? 'stream store EOF' : 'sequence 9 not found');
        await api('STREAM.DELETE.S1');
      }
    });

    it('reads an array in a request for information as a mistake', async () => {
      await createStream('S2');
      expect((await api('STREAM.INFO.S2', '[]')).error).toMatchObject({ err_code: 10025 });
      expect((await api('STREAM.INFO.S2', 'x')).error).toBeUndefined();
    });

    it('refuses sizes of messages beyond 32 bits', async () => {
      expect((await createStream('S3', { max_msg_size: 2 ** 31 })).error).toMatchObject({ err_code: 10025 });
    });

    it('knows an empty persist mode', async () => {
      expect((await createStream('S4', { persist_mode: '' })).error).toBeUndefined();
    });

    it('leaves out what says nothing within parts of a configuration', async () => {
      const { config } = await createStream('S5', { republish: { src: 'S5.a', dest: 'r', headers_only: false } });
      expect(config.republish).toEqual({ src: 'S5.a', dest: 'r' });
    });

    it('shows the first sequence of an empty stream that has one', async () => {
      expect(await createStream('S6', { first_seq: 1 })).toMatchObject({ state: { first_seq: 1, last_seq: 0 } });
    });

    it('goes on where a purge beyond the end said', async () => {
      await createStream('S7');
      await publish('S7.a');
      await api('STREAM.PURGE.S7', { seq: 10 });
      expect(await publish('S7.a')).toMatchObject({ seq: 10 });
    });

    it('looks at replicas before it looks for a stream', async () => {
      await createStream('S8');
      expect((await createStream('S8', { num_replicas: 3 })).error).toMatchObject({ err_code: 10074 });
      expect((await api('STREAM.UPDATE.NONE', { name: 'NONE', num_replicas: -1 })).error).toMatchObject({
        err_code: 10133,
      });
    });

    it('reads null as a request that says nothing', async () => {
      expect((await api('STREAM.NAMES', 'null')).error).toBeUndefined();
    });
  });

  describe('consumers', () => {
    beforeAll(() => createStream('C'));

    it('needs no configuration, and names none that has no name', async () => {
      const { error, name, config } = await api('CONSUMER.CREATE.C', { stream_name: 'C' });
      expect(error).toBeUndefined();
      expect(name).toMatch(/^\w{8}$/);
      expect(config.name).toBeUndefined();
    });

    it('looks at replicas before it looks for a stream', async () => {
      const wish = { stream_name: 'NONE', config: { num_replicas: 3 } };
      expect((await api('CONSUMER.CREATE.NONE', wish)).error).toMatchObject({ err_code: 10074 });
    });

    it('pauses nothing at a word', async () => {
      await api('CONSUMER.CREATE.C.p', { stream_name: 'C', config: { name: 'p' } });
      const { error, paused } = await api('CONSUMER.PAUSE.C.p', 'x');
      expect([error, paused]).toEqual([undefined, false]);
    });

    it('wants a group to unpin before it looks for a consumer', async () => {
      const { error } = await api('CONSUMER.UNPIN.C.none', '');
      expect(error?.description).toMatch(/consumer group not specified/);
    });

    it('waits for a sequence that is still to come, after a restart too', async () => {
      await createStream('W');
      for (let i = 0; i < 3; i++) await publish('W.a');
      const config = {
        durable_name: 'w',
        deliver_policy: 'by_start_sequence',
        opt_start_seq: 6,
        ack_policy: 'explicit',
      };
      const created = await api('CONSUMER.CREATE.W.w', { stream_name: 'W', config: { ...config, name: 'w' } });
      expect(created).toMatchObject({ delivered: { consumer_seq: 0, stream_seq: 5 }, num_pending: 0 });
      await stop();
      await start();
      for (let i = 4; i <= 5; i++) await publish('W.a');
      expect(await api('CONSUMER.INFO.W.w')).toMatchObject({ delivered: { stream_seq: 5 }, num_pending: 0 });
      await publish('W.a');
      // A message comes with its own subject: requests of the client would not know it.
      const inbox = connection.subscribe('inbox', { max: 1, timeout: 10_000 });
      connection.publish('$JS.API.CONSUMER.MSG.NEXT.W.w', JSON.stringify({ batch: 1 }), { reply: 'inbox' });
      const { value: message } = await inbox[Symbol.asyncIterator]().next();
      expect(message.reply).toMatch(/^\$JS\.ACK\.W\.w\.1\.6\.1\./);
    });

    it('ends a request at once that is over already', async () => {
      await api('CONSUMER.CREATE.C.e', { stream_name: 'C', config: { name: 'e' } });
      const { headers: said } = await pull('C', 'e', { batch: 2, max_bytes: 500, expires: -1 });
      expect([said?.code, said?.description]).toEqual([408, 'Request Timeout']);
      expect([said?.get('Nats-Pending-Messages'), said?.get('Nats-Pending-Bytes')]).toEqual(['2', '500']);
      expect(await api('CONSUMER.INFO.C.e')).toMatchObject({ num_waiting: 0 });
    });
  });
});

describe('transforms as nats-server reads them', () => {
  it('keeps subjects when there is no destination', () => {
    expect(new SubjectTransform('a.*', '').match('a.b')).toBe('a.b');
    expect(new SubjectTransform('a', '').match('a')).toBe('a');
  });

  it('tells that a function is unknown before what it was given', () => {
    expect(() => new SubjectTransform('a.*', 'b.{{nothing(x)}}')).toThrow(/unknown function in \{\{nothing\(x\)\}\}/);
  });
});
