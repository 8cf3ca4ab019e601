import { hkdfSync } from 'node:crypto';
import { readdir, stat, statfs } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { GLOBAL_ACCOUNT } from '../auth/identity.js';
import { describe } from '../base/failure.js';
import type { Account } from '../broker/account.js';
import { type AccountJetStream, UNLIMITED } from '../config/accounts-jetstream.js';
import type { PluginStreams } from '../host/plugin-streams.js';
import type { JetStreamSnapshot } from '../monitor/streams-snapshot.js';
import { nodeDisk } from '../storage/node-disk.js';
import { Store } from '../storage/store.js';
import { StreamApi } from '../stream/api.js';
import { BucketFeed, bucketStream } from '../stream/bucket-feed.js';
import { restoreConsumer } from '../stream/consumers.js';
import { type FileHouse, FileStreamStore, folderName } from '../stream/file-store.js';
import { MemoryStreamStore } from '../stream/memory-store.js';
import { NotEnabledApi } from '../stream/not-enabled.js';
import { RecordedReader } from '../stream/recorded-messages.js';
import type { StreamConfig } from '../stream/stream-config.js';
import { Streams } from '../stream/streams.js';
import type { ServerParts } from './server-parts.js';

/** One account's streams and what answers for them. */
interface AccountStreams {
  streams: Streams;
  api: StreamApi;
}

/** Until what is written is synced when the configuration leaves that to the system. */
const SYNC_INTERVAL_MS = 120_000;
const MEMORY_SHARE = 0.75;
/** For a disk that does not tell its size. */
const STORE_BYTES_MAX = 1024 ** 4;

/** Streams as part of the server: where they are kept, and for whom. */
export class JetStream {
  private readonly accounts: AccountStreams[] = [];
  /** Where everything is kept. */
  private readonly folder: string;
  private memoryBytesMax = 0;
  private storeBytesMax = 0;
  private readonly parts: ServerParts;
  private readonly random: () => number;
  private store: Store | null = null;

  constructor(parts: ServerParts, random: () => number) {
    this.parts = parts;
    this.random = random;
    const { storeDir } = parts.options;
    this.folder = resolve(storeDir === '' ? join(tmpdir(), 'nats', 'jetstream') : join(storeDir, 'jetstream'));
  }

  /** Brings back what is on disk; from then on streams take messages and requests are answered. Rejects with a `Failure`. */
  async start(): Promise<void> {
    const { logger, options } = this.parts;
    this.store = await this.openStore();
    await this.findLimits();
    logger.info('Starting JetStream');
    logger.info('---------------- JETSTREAM ----------------');
    logger.info(`  Strict:          ${options.streams.strict}`);
    logger.info(`  Max Memory:      ${sizeText(this.memoryBytesMax)}`);
    logger.info(`  Max Storage:     ${sizeText(this.storeBytesMax)}`);
    logger.info(`  Store Directory: "${this.folder}"`);
    if (options.streams.domain !== '') logger.info(`  Domain:          ${options.streams.domain}`);
    logger.info('-------------------------------------------');
    await this.openAccounts();
  }

  async stop(): Promise<void> {
    for (const { api } of this.accounts) api.close();
    await Promise.all(this.accounts.map(({ streams }) => streams.close()));
    await this.store?.close();
  }

  /** One process at a time may write into the folder. */
  private openStore(): Promise<Store> {
    const { clock, options } = this.parts;
    const { key, cipher } = options.streams;
    const aead = cipher === 'aes' ? 'aes-256-gcm' : 'chacha20-poly1305';
    const encryption = key === '' ? null : { cipher: aead as typeof aead, key: storeKey(key) };
    return Store.open({ disk: nodeDisk, clock, folder: this.folder, encryption });
  }

  private async findLimits(): Promise<void> {
    const { memoryBytesMax, storeBytesMax } = this.parts.options.streams;
    this.memoryBytesMax = memoryBytesMax >= 0 ? memoryBytesMax : Math.floor(totalmem() * MEMORY_SHARE);
    this.storeBytesMax = storeBytesMax;
    if (storeBytesMax >= 0) return;
    const { bavail, bsize } = await statfs(this.folder).catch(() => ({ bavail: 1, bsize: STORE_BYTES_MAX }));
    // What lies there already is counted as stored: it is not free, and need not be.
    this.storeBytesMax = bavail * bsize + (await bytesIn(this.folder));
  }

  /** Without other accounts the global one has streams; with them, those whose configuration says so. */
  private async openAccounts(): Promise<void> {
    const { accounts, options } = this.parts;
    const { systemAccount } = options;
    const alone = accounts.all().every(({ name }) => name === GLOBAL_ACCOUNT || name === systemAccount);
    for (const broker of accounts.all()) {
      const own = options.accounts.find(({ name }) => name === broker.name)?.jetstream ?? null;
      if (own !== null || (alone && broker.name === GLOBAL_ACCOUNT)) await this.open(broker, own ?? UNLIMITED);
      else new NotEnabledApi(broker);
    }
  }

  private async open(broker: Account, own: AccountJetStream): Promise<void> {
    const { clock, logger, options } = this.parts;
    const { domain, strict, requestBatchMax, duplicateWindowMaxNs, consumersMax, ackPendingMax } = options.streams;
    const folder = `${folderName(broker.name)}/streams`;
    const house = this.fileHouse();
    const streams = new Streams({
      ...{ broker, clock, logger, domain, random: this.random, serverName: this.parts.identity.name },
      limits: {
        ...{ requestBatchMax, duplicateWindowMaxNs, streamsMax: own.streamsMax },
        consumersMax: own.consumersMax >= 0 ? own.consumersMax : consumersMax,
        ackPendingMax: own.ackPendingMax > 0 ? own.ackPendingMax : ackPendingMax,
        accountMemoryMax: own.memoryBytesMax,
        accountStoreMax: own.storeBytesMax,
        memoryBytesMax: least(own.memoryBytesMax, this.memoryBytesMax),
        storeBytesMax: least(own.storeBytesMax, this.storeBytesMax),
        memoryStreamBytesMax: own.memoryStreamBytesMax,
        storeStreamBytesMax: own.storeStreamBytesMax,
        bytesMaxRequired: own.bytesMaxRequired,
      },
      newStore: async ({ name, storage }: StreamConfig) =>
        storage === 'memory' ? new MemoryStreamStore() : new FileStreamStore(`${folder}/${folderName(name)}`, house),
    });
    await this.restore(streams, folder, house);
    this.accounts.push({ streams, api: new StreamApi(streams, strict) });
  }

  /** What plugins have of an account's streams; null when it has none. */
  forPlugins(account: string): PluginStreams | null {
    const found = this.accounts.find(({ streams }) => streams.broker.name === account);
    if (found === undefined) return null;
    const { streams } = found;
    return {
      has: (bucket) => streams.find(bucketStream(bucket)) !== undefined,
      follow: (bucket, keys, take) => new BucketFeed(streams, { bucket, keys, take }),
      recorded: async (name, range) => {
        const stream = streams.find(name);
        return stream === undefined ? null : RecordedReader.open(stream, range);
      },
    };
  }

  /** For monitoring. */
  snapshot(): JetStreamSnapshot {
    const { memoryBytesMax, storeBytesMax, folder } = this;
    const { domain, strict, sync } = this.parts.options.streams;
    const accounts = this.accounts.map(({ streams, api }) => ({ streams, stats: api.stats }));
    return { memoryBytesMax, storeBytesMax, folder, domain, strict, sync, accounts };
  }

  /** Opens what earlier processes left in an account's folder. */
  private async restore(streams: Streams, folder: string, house: FileHouse): Promise<void> {
    for (const name of await house.store.list(folder)) {
      const store = new FileStreamStore(`${folder}/${name}`, house);
      try {
        await restoreStream(streams, store);
      } catch (error) {
        // One stream that cannot be opened must not keep the others away. It stays where it is.
        this.parts.logger.error(`Cannot open the stream in ${JSON.stringify(store.folder)}: ${describe(error)}`);
      }
    }
  }

  private fileHouse(): FileHouse {
    const { clock, logger, options } = this.parts;
    const { sync } = options.streams;
    return {
      ...{ clock, logger, store: this.store! },
      sync: typeof sync === 'number' ? 'interval' : sync,
      syncIntervalMs: typeof sync === 'number' ? sync : SYNC_INTERVAL_MS,
    };
  }
}

async function restoreStream(streams: Streams, store: FileStreamStore): Promise<void> {
  const stored = await store.read();
  // What was being deleted, or restored, when an earlier process ended.
  if (stored === null) {
    await store.delete();
    return;
  }
  const consumers = await store.readConsumers();
  const stream = await streams.restore(stored, store);
  for (const consumer of consumers) restoreConsumer(stream, consumer);
  const { messages } = stream.log.state;
  streams.logger.info(`  Restored ${messages} messages for stream '${streams.broker.name} > ${stream.name}'`);
}

/** The key of the log's encryption, made of the one in the configuration, which may be any text. */
function storeKey(key: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, '', 'weir streams', 32));
}

/** Bytes of all files below a folder. */
async function bytesIn(folder: string): Promise<number> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of found) if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  return bytes;
}

/** The smaller limit; -1 is none. */
function least(one: number, other: number): number {
  return one < 0 ? other : Math.min(one, other);
}

function sizeText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  const unit = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** unit).toFixed(unit === 0 ? 0 : 2)} ${units[unit]}`;
}
