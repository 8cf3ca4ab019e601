import { readdir, stat, statfs } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { describe } from '../base/failure.js';
import type { Account } from '../broker/account.js';
import type { AccountJetStream } from '../config/accounts-jetstream.js';
import type { PluginStreams } from '../host/plugin-streams.js';
import type { JetStreamSnapshot } from '../monitor/streams-snapshot.js';
import { nodeDisk } from '../storage/node-disk.js';
import { Store } from '../storage/store.js';
import { StreamApi } from '../stream/api.js';
import { BucketFeed, bucketStream } from '../stream/bucket-feed.js';
import { restoreConsumer } from '../stream/consumers.js';
import { type FileHouse, FileStreamStore, folderName } from '../stream/file-store.js';
import type { StreamLimits } from '../stream/limits.js';
import { MemoryStreamStore } from '../stream/memory-store.js';
import { NotEnabledApi } from '../stream/not-enabled.js';
import { RecordedReader } from '../stream/recorded-messages.js';
import { RestoreRoom } from '../stream/restore-room.js';
import type { StreamConfig } from '../stream/stream-config.js';
import { Streams } from '../stream/streams.js';
import type { ServerParts } from './server-parts.js';
import { encryptionOf } from './store-encryption.js';
import { limitsOfAccount, wantedStreams } from './stream-limits.js';

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
  /** Accounts without streams. */
  private readonly disabled = new Map<string, NotEnabledApi>();
  private arranged: Promise<void> = Promise.resolve();
  private ready = false;
  private stopped = false;
  memoryBytesMax = 0;
  storeBytesMax = 0;
  private readonly parts: ServerParts;
  private readonly random: () => number;
  private readonly restores: RestoreRoom;
  private store: Store | null = null;

  constructor(parts: ServerParts, random: () => number) {
    this.parts = parts;
    this.random = random;
    this.restores = new RestoreRoom(parts.clock);
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
    await this.recallAccounts();
    const first = this.arrangeAll();
    // An account that comes meanwhile is arranged behind these.
    this.ready = true;
    this.arranged = first.catch(() => {});
    await first;
  }

  /** Tells whoever waits for messages that the server stops. */
  dismiss(): void {
    for (const { streams } of this.accounts) streams.dismiss();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.arranged;
    for (const { api } of this.accounts) api.close();
    await Promise.all(this.accounts.map(({ streams }) => streams.close()));
    await this.store?.close();
  }

  /** One process at a time may write into the folder. */
  private openStore(): Promise<Store> {
    const { clock, options } = this.parts;
    return Store.open({ disk: nodeDisk, clock, folder: this.folder, encryption: encryptionOf(options.streams) });
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

  /**
   * Accounts get streams, or lose them, or have other limits, as their configuration or JWT says now. What is stored of one that has
   * none any more stays on disk.
   */
  arrange(account?: string): Promise<void> {
    if (!this.ready) return Promise.resolve();
    const { memoryBytesMax, storeBytesMax } = this.parts.options.streams;
    if (memoryBytesMax >= 0) this.memoryBytesMax = memoryBytesMax;
    if (storeBytesMax >= 0) this.storeBytesMax = storeBytesMax;
    const arranged = this.arranged
      .then(() => this.arrangeAll(account))
      .catch((error) => this.parts.logger.error(`Cannot open the streams of an account: ${describe(error)}`));
    this.arranged = arranged;
    for (const broker of this.wanted(account)) if (this.isNew(broker)) hold(broker, arranged);
    return arranged;
  }

  /** All accounts, or the one of this name. */
  private wanted(account?: string): Account[] {
    const { accounts } = this.parts;
    return accounts.all().filter(({ name }) => account === undefined || name === account);
  }

  /** Whether it is to have streams, and has none yet. */
  private isNew(broker: Account): boolean {
    return wantedStreams(this.parts, broker.name) !== null && this.presentOf(broker) === undefined;
  }

  private presentOf(broker: Account): AccountStreams | undefined {
    return this.accounts.find(({ streams }) => streams.broker === broker);
  }

  private async arrangeAll(account?: string): Promise<void> {
    for (const broker of this.wanted(account)) if (!this.stopped) await this.arrangeOne(broker);
  }

  private async arrangeOne(broker: Account): Promise<void> {
    const { disabled } = this;
    const own = wantedStreams(this.parts, broker.name);
    const present = this.presentOf(broker);
    if (own !== null && present !== undefined) present.streams.limits = this.limitsFor(own);
    else if (own !== null) {
      await this.open(broker, own);
      disabled.get(broker.name)?.close();
      disabled.delete(broker.name);
    } else {
      if (present !== undefined) await this.shut(present);
      if (!disabled.has(broker.name)) disabled.set(broker.name, new NotEnabledApi(broker));
    }
  }

  private async shut(gone: AccountStreams): Promise<void> {
    this.accounts.splice(this.accounts.indexOf(gone), 1);
    gone.api.close();
    await gone.streams.close();
    this.parts.logger.info(`JetStream is disabled for account ${JSON.stringify(gone.streams.broker.name)}`);
  }

  /** Accounts that left something here, and that nobody asked for yet. */
  private async recallAccounts(): Promise<void> {
    const { operator } = this.parts;
    if (operator === null) return;
    const folders = new Set(await this.store!.list(''));
    for (const account of operator.store.list()) if (folders.has(folderName(account))) await operator.find(account);
  }

  private limitsFor(own: AccountJetStream): StreamLimits {
    return limitsOfAccount(own, this.parts.options.streams, this);
  }

  private async open(broker: Account, own: AccountJetStream): Promise<void> {
    const { clock, logger, options } = this.parts;
    const { domain, strict } = options.streams;
    const folder = `${folderName(broker.name)}/streams`;
    const house = this.fileHouse();
    const streams = new Streams({
      ...{ broker, clock, logger, domain, random: this.random, serverName: this.parts.identity.name },
      limits: this.limitsFor(own),
      restores: this.restores,
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
    const limits = this.parts.options.streams;
    const { domain, strict, sync } = limits;
    const accounts = this.accounts.map(({ streams, api }) => ({ streams, stats: api.stats }));
    return { memoryBytesMax, storeBytesMax, folder, domain, strict, sync, limits, accounts };
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

/** Whoever comes into the account waits for its streams: what it publishes would go by them. */
function hold(broker: Account, opening: Promise<void>): void {
  broker.opening = opening;
  void opening.then(() => {
    if (broker.opening === opening) broker.opening = null;
  });
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
  if (await store.readSweep())
    stream.resumeSweep().catch((error) => {
      streams.logger.error(
        `Cannot remove what is beyond the limits of ${JSON.stringify(stream.name)}: ${describe(error)}`,
      );
    });
  const { messages } = stream.log.state;
  streams.logger.info(`  Restored ${messages} messages for stream '${streams.broker.name} > ${stream.name}'`);
}

/** Bytes of all files below a folder. */
async function bytesIn(folder: string): Promise<number> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of found) if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  return bytes;
}

function sizeText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  const unit = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** unit).toFixed(unit === 0 ? 0 : 2)} ${units[unit]}`;
}
