import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ArchiveEntry, archiveEntry, archiveHead } from '../../src/stream/archive.js';
import { RestoreRoom } from '../../src/stream/restore-room.js';
import { s2Chunks, s2Head } from '../../src/stream/s2.js';
import { ManualClock } from '../kit/manual-clock.js';
import { type RunningServer, startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';

const MB = 1024 * 1024;
const NOTHING = new Uint8Array(0);
const PATIENCE_MS = 20_000;

function entry(name: string, sequence: number, payload: Uint8Array): ArchiveEntry {
  return { name: Buffer.from(name), timeMs: 1_700_000_000_000, timeNs: 0, sequence, headers: NOTHING, payload };
}

const state = entry('state.json', 0, Buffer.from('{"first_seq":1,"last_seq":1}'));
const end = { ...entry('', 0, NOTHING), timeMs: 0 };

/** What an archive begins with whose first message says that it is so long. */
function beginning(bytes: number): Buffer {
  const whole = archiveEntry(entry('a', 1, Buffer.alloc(bytes)));
  const archive = Buffer.concat([archiveHead(), archiveEntry(state), whole.subarray(0, whole.length - bytes)]);
  return Buffer.concat([s2Head(), s2Chunks(archive)]);
}

describe('what restores share', () => {
  it('is for so many of one account, and of all', () => {
    const room = new RestoreRoom(new ManualClock());
    const [one, two, three] = [{}, {}, {}];
    const enter = (account: object, times: number) => Array.from({ length: times }, () => room.enter(account));
    expect(enter(one, 9)).toEqual([...Array(8).fill(true), false]);
    expect(enter(two, 8)).toEqual(Array(8).fill(true));
    expect(room.enter(three)).toBe(false);
    room.leave(one);
    expect(enter(three, 2)).toEqual([true, false]);
  });

  it('is memory for long entries, in the order of who asked', async () => {
    const room = new RestoreRoom(new ManualClock());
    const granted: string[] = [];
    const claim = (name: string, bytes: number) => {
      const made = room.claim(bytes);
      void made.granted.then((isGranted) => granted.push(`${name} ${isGranted}`));
      return made;
    };
    const [first, second, third] = [claim('first', 60 * MB), claim('second', 60 * MB), claim('third', MB)];
    await Promise.resolve();
    expect(granted).toEqual(['first true']);
    second.end();
    await Promise.resolve();
    expect(granted.sort()).toEqual(['first true', 'second false', 'third true']);
    first.end();
    first.end();
    third.end();
    const [whole, next] = [claim('whole', 80 * MB), claim('next', MB)];
    await Promise.resolve();
    expect(granted).toContain('whole true');
    expect(granted).not.toContain('next true');
    whole.end();
    expect(await next.granted).toBe(true);
  });

  it('is memory for consumers, that nobody waits for', () => {
    const room = new RestoreRoom(new ManualClock());
    expect([room.keepConsumers(40 * MB), room.keepConsumers(40 * MB)]).toEqual([true, false]);
    room.forgetConsumers(40 * MB);
    expect(room.keepConsumers(40 * MB)).toBe(true);
  });

  it('is time: one after the other has its share of a turn', async () => {
    const room = new RestoreRoom({ ...new ManualClock(), monotonicNs: () => performance.now() * 1e6 } as never);
    const order: string[] = [];
    const work = async (name: string) => {
      for (let i = 0; i < 3; i++) {
        await room.turn();
        order.push(name);
        for (const untilMs = performance.now() + 6; performance.now() < untilMs; );
      }
    };
    await Promise.all([work('a'), work('b')]);
    expect(order.join('')).toMatch(/^(ab){3}$/);
  });
});

describe('restores', () => {
  const folder = tempFolder();
  let server: RunningServer;
  let ann: NatsConnection;
  let bob: NatsConnection;

  beforeAll(async () => {
    const account = (user: string) => `{ users: [{ user: ${user}, password: ${user} }], jetstream: enabled }`;
    server = await startWeir(
      `jetstream { store_dir: ${JSON.stringify(join(folder.path, 'store'))} }
       accounts { A ${account('ann')}, B ${account('bob')} }`,
    );
    const open = (user: string) => connect({ servers: server.url, user, pass: user, reconnect: false });
    [ann, bob] = [await open('ann'), await open('bob')];
  });
  afterAll(async () => {
    await Promise.all([ann?.close(), bob?.close()]);
    await server?.stop();
    folder.remove();
  });

  /** Begins one; answers with what sends a chunk of it and waits for the answer. */
  async function begin(connection: NatsConnection, name: string, storage = 'memory') {
    const config = { name, subjects: [`${name}.>`], storage };
    const said = await connection.request(`$JS.API.STREAM.RESTORE.${name}`, JSON.stringify({ config, state: {} }));
    const { deliver_subject, error } = said.json<{ deliver_subject: string; error?: object }>();
    expect(error).toBeUndefined();
    return async (chunk: Uint8Array) =>
      (await connection.request(deliver_subject, chunk, { timeout: PATIENCE_MS })).string();
  }

  for (const storage of ['memory', 'file'])
    it(`take messages that are longer than a chunk (${storage})`, { timeout: PATIENCE_MS }, async () => {
      const send = await begin(ann, `LONG-${storage}`, storage);
      const [first, last] = [randomBytes(0.9 * MB), randomBytes(1.2 * MB)];
      const entries = [state, entry('LONG.1', 1, first), entry('LONG.2', 2, last), end];
      const archive = Buffer.concat([archiveHead(), ...entries.map(archiveEntry)]);
      const stream = Buffer.concat([s2Head(), s2Chunks(archive)]);
      for (let at = 0; at < stream.length; at += 100_000)
        expect(await send(stream.subarray(at, at + 100_000))).toBe('');
      expect(await send(NOTHING)).toContain('"messages":2');
      const { streams } = await jetstreamManager(ann);
      for (const [i, payload] of [first, last].entries()) {
        const message = await streams.getMessage(`LONG-${storage}`, { seq: i + 1 });
        expect(Buffer.from(message!.data).equals(payload)).toBe(true);
      }
    });

  it('wait for those of others, while these put a long message together', { timeout: PATIENCE_MS }, async () => {
    const [one, other] = [await begin(ann, 'ONE'), await begin(bob, 'OTHER')];
    const answers: string[] = [];
    expect(await one(beginning(64 * MB))).toBe('');
    const waiting = other(beginning(64 * MB)).then((answer) => answers.push(`other ${answer}`));
    expect(await one(s2Chunks(Buffer.alloc(MB / 2)))).toBe('');
    answers.push('one');
    expect(await one(Buffer.from('nothing of the kind'))).toContain('restore failed');
    await waiting;
    expect(answers).toEqual(['one', 'other ']);
    expect(await other(Buffer.from('nothing of the kind'))).toContain('restore failed');
  });

  it('are refused when others need the memory for too long', { timeout: PATIENCE_MS }, async () => {
    const [one, other] = [await begin(ann, 'ONE'), await begin(bob, 'OTHER')];
    expect(await one(beginning(64 * MB))).toBe('');
    expect(await other(beginning(64 * MB))).toContain('"err_code":10023');
    // Nobody has been left in the line for it.
    expect(await one(Buffer.from('nothing of the kind'))).toContain('restore failed');
    const third = await begin(bob, 'OTHER');
    expect(await third(beginning(64 * MB))).toBe('');
    expect(await third(Buffer.from('nothing of the kind'))).toContain('restore failed');
  });

  it('are given up when they do not wait for answers, though they wait for memory', {
    timeout: PATIENCE_MS,
  }, async () => {
    const [one, other] = [await begin(ann, 'ONE'), await begin(bob, 'OTHER')];
    expect(await one(beginning(64 * MB))).toBe('');
    const chunk = s2Chunks(Buffer.alloc(MB / 2));
    const answers = [other(beginning(64 * MB)), ...Array.from({ length: 20 }, () => other(chunk))];
    // Chunks behind the one too many have nobody who takes them any more.
    expect(await Promise.any(answers)).toContain('too many chunks were sent without waiting for answers');
    for (const answer of answers) answer.catch(() => {});
    expect(await one(Buffer.from('nothing of the kind'))).toContain('restore failed');
  });
});
