import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './load/connection.js';
import { Deliveries } from './load/deliveries.js';
import type { AskOrder, AskResult } from './load/orders.js';
import type { Run } from './scenario.js';
import type { ServerProcess } from './server-process.js';

const INBOX = '_INBOX.bench.api';
const ANSWER_MS_MAX = 120_000;
/** A load process answers within a minute: more messages than these are published in several orders. */
const FILL_STEP = 500_000;
const FILL_WINDOW = 4_000;

/** A folder for a server's streams, and the arguments that make it use them. */
export class StreamFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'weir-bench-'));

  /** `syncing`: each message is synced before it is acknowledged, which is what Weir does anyway. */
  args(syncing = false): string[] {
    if (!syncing) return ['-js', '-sd', join(this.path, 'store')];
    const file = join(this.path, 'server.conf');
    writeFileSync(
      file,
      `jetstream { store_dir: ${JSON.stringify(join(this.path, 'store'))}, sync_interval: always }\n`,
    );
    return ['-c', file];
  }

  /** What all files take, in bytes as their lengths are. */
  get bytes(): number {
    return bytesOf(join(this.path, 'store'));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

function bytesOf(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    return sum + (entry.isDirectory() ? bytesOf(path) : entry.isFile() ? statSync(path).size : 0);
  }, 0);
}

/** Runs `use` with a server that keeps streams, in a folder of its own. */
export async function withStreams<T>(
  run: Run,
  { syncing = false, inside = false }: { syncing?: boolean; inside?: boolean },
  use: (server: ServerProcess, folder: StreamFolder) => Promise<T>,
): Promise<T> {
  const folder = new StreamFolder();
  try {
    const server = await run.start(folder.args(syncing), { inside });
    const result = await use(server, folder);
    await server.stop();
    return result;
  } finally {
    folder.remove();
  }
}

/** A request to the API of streams, on a connection of its own. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the API answers
async function askApi(port: number, subject: string, body: object = {}): Promise<any> {
  const connection = new Connection(port);
  try {
    await connection.open(`SUB ${INBOX} 1\r\n`);
    const text = await new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${subject}: no answer`)), ANSWER_MS_MAX);
      const deliveries = new Deliveries(connection, ({ bytes, bodyStart, bodyEnd }) => {
        clearTimeout(timer);
        resolve(bytes.toString('utf8', bodyStart, bodyEnd));
      });
      connection.onBytes = (bytes, length) => deliveries.feed(bytes, length);
      connection.onFailure = reject;
      const json = JSON.stringify(body);
      connection.socket.write(`PUB $JS.API.${subject} ${INBOX} ${Buffer.byteLength(json)}\r\n${json}\r\n`);
    });
    const answer = JSON.parse(text);
    if (answer.error !== undefined) throw new Error(`${subject}: ${JSON.stringify(answer.error)}`);
    return answer;
  } finally {
    connection.close();
  }
}

export async function makeStream(port: number, name: string, config: object): Promise<void> {
  await askApi(port, `STREAM.CREATE.${name}`, { name, storage: 'file', retention: 'limits', ...config });
}

/** Publishes so many messages, numbered subjects in turn, and waits until all are acknowledged. */
export async function fill(run: Run, order: Pick<AskOrder, 'port' | 'subjects' | 'payloadBytes'>, count: number) {
  await run.sender.ask('asker', 'open', {
    ...order,
    connections: 1,
    window: FILL_WINDOW,
    answer: { kind: 'acknowledgement' },
  } satisfies AskOrder);
  for (let left = count; left > 0; left -= FILL_STEP)
    await run.sender.ask<AskResult>('asker', 'run', ANSWER_MS_MAX, Math.min(left, FILL_STEP));
  await run.sender.ask('asker', 'close');
}

/** Waits until a stream has so many messages: a server may say that it is ready before it has read what it keeps. */
export async function waitForMessages(port: number, stream: string, count: number): Promise<void> {
  for (;;) {
    const info = await askApi(port, `STREAM.INFO.${stream}`).catch(() => null);
    if (info !== null && info.state.messages >= count) return;
    await sleep(10);
  }
}
