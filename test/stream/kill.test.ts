// A server of its own process, killed under load again and again: what it acknowledged is there, what was deleted is not.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AckPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, describe, expect, it } from 'vitest';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';
import { Program } from '../server/program.js';

/** `KILL_ROUNDS=100 npx vitest run test/stream/kill.test.ts` kills more often than there is time for every day. */
const ROUNDS = Number(process.env.KILL_ROUNDS ?? 20);
const ROUND_MS_MAX = 20_000;

interface Running {
  program: Program;
  connection: NatsConnection;
  js: JetStreamClient;
  manager: JetStreamManager;
}

describe('killed under load', () => {
  const folder = tempFolder();
  let program: Program | null = null;
  afterAll(async () => {
    await program?.kill();
    folder.remove();
  });

  async function start(): Promise<Running> {
    const store = join(folder.path, 'store');
    const started = new Program('nats-server', [
      ...['-a', '127.0.0.1', '-p', '-1', '-js', '-sd', store, '--ports_file_dir', folder.path],
    ]);
    program = started;
    const ports = join(folder.path, `nats-server_${started.pid}.ports`);
    await until(() => existsSync(ports), `the server to start: ${started.stderr}`, 20_000);
    const [url] = JSON.parse(readFileSync(ports, 'utf8')).nats as string[];
    const connection = await connect({ servers: url, reconnect: false });
    return { program: started, connection, js: jetstream(connection), manager: await jetstreamManager(connection) };
  }

  it(
    'keeps every acknowledged message, and none that was deleted or done',
    async () => {
      const acknowledged = new Map<number, string>();
      const deleted = new Set<number>();
      const done = new Set<number>();
      const first = await start();
      await first.manager.streams.add({ name: 'K', subjects: ['k.>'] });
      await first.manager.consumers.add('K', { durable_name: 'c', ack_policy: AckPolicy.Explicit });
      await first.connection.close();
      await first.program.kill();
      for (let round = 0; round < ROUNDS; round++) {
        const running = await start();
        await check(running, acknowledged, deleted);
        const ended = load(running, round, { acknowledged, deleted, done });
        const wanted = acknowledged.size + 300;
        await until(() => acknowledged.size >= wanted, 'acknowledgements', 30_000);
        await running.program.kill();
        await ended;
      }
      const last = await start();
      await check(last, acknowledged, deleted);
      const consumer = await last.js.consumers.get('K', 'c');
      const messages = await consumer.fetch({ max_messages: 100, expires: 2_000 });
      for await (const { seq } of messages) expect(done.has(seq), `message ${seq} was done`).toBe(false);
      expect(acknowledged.size).toBeGreaterThan(ROUNDS * 300);
      await last.connection.close();
    },
    ROUNDS * ROUND_MS_MAX,
  );
});

interface Seen {
  acknowledged: Map<number, string>;
  deleted: Set<number>;
  done: Set<number>;
}

/** Publishes, consumes and deletes until the server is gone. */
async function load({ js, manager, connection }: Running, round: number, seen: Seen): Promise<void> {
  const publish = async (worker: number) => {
    for (let i = 0; ; i++) {
      const text = `${round}.${worker}.${i}`;
      seen.acknowledged.set((await js.publish(`k.${worker}`, text)).seq, text);
    }
  };
  const consume = async () => {
    const consumer = await js.consumers.get('K', 'c');
    for (;;) {
      const message = await consumer.next({ expires: 5_000 });
      if (message !== null && (await message.ackAck({ timeout: 30_000 }))) seen.done.add(message.seq);
    }
  };
  const remove = async () => {
    for (;;) {
      const [sequence] = [...seen.acknowledged.keys()].filter((key) => !seen.deleted.has(key)).slice(-20);
      if (sequence === undefined) await connection.flush();
      else {
        // Until the answer is there, both are right: it may be gone or not.
        const text = seen.acknowledged.get(sequence)!;
        seen.acknowledged.delete(sequence);
        if (await manager.streams.deleteMessage('K', sequence)) {
          seen.deleted.add(sequence);
          seen.acknowledged.set(sequence, text);
        }
      }
    }
  };
  const workers = [...Array.from({ length: 8 }, (_, worker) => publish(worker)), consume(), remove()];
  await Promise.allSettled(workers);
}

/** Everything that was acknowledged is there as it was sent, unless it was deleted: then it is not. */
async function check(
  { manager }: Running,
  acknowledged: Seen['acknowledged'],
  deleted: Seen['deleted'],
): Promise<void> {
  const { state } = await manager.streams.info('K', { deleted_details: true });
  const gone = new Set(state.deleted ?? []);
  const isThere = (sequence: number) =>
    sequence >= state.first_seq && sequence <= state.last_seq && !gone.has(sequence);
  for (const sequence of acknowledged.keys())
    expect(isThere(sequence), `message ${sequence}`).toBe(!deleted.has(sequence));
  for (const [sequence, text] of [...acknowledged].slice(-50))
    if (!deleted.has(sequence))
      expect((await manager.streams.getMessage('K', { seq: sequence }))?.string(), `message ${sequence}`).toBe(text);
}
