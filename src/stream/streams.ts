import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Account } from '../broker/account.js';
import { anyOverlap } from '../subject/filter-set.js';
import { Advisories } from './advisories.js';
import { apiError } from './api-error.js';
import { newId } from './id.js';
import type { StreamLimits } from './limits.js';
import { storedStreamMetadata } from './metadata.js';
import type { Origin } from './origin.js';
import type { RestoreRoom } from './restore-room.js';
import { Stream } from './stream.js';
import { inOrder, type StreamConfig, type StreamRequest } from './stream-config.js';
import { completeStream } from './stream-rules.js';
import type { StoredStream, StreamStore } from './stream-store.js';
import { checkStreamUpdate } from './stream-update-rules.js';
import { listSubjects, type SubjectList } from './subject-list.js';
import type { Surroundings } from './surroundings.js';
import { isLowered } from './sweep.js';

/** What an account's streams are made with. */
export interface StreamsParts {
  broker: Account;
  clock: Clock;
  logger: Logger;
  random: () => number;
  serverName: string;
  domain: string;
  limits: StreamLimits;
  /** Shared with those of other accounts. */
  restores: RestoreRoom;
  /** A store for a stream of this configuration. */
  newStore(config: StreamConfig): Promise<StreamStore>;
}

/** How often it is added up what is stored. */
const MEASURE_MS = 100;
/** Requests for lists of subjects that may wait for one another. */
const LISTINGS_MAX = 1000;

/** How much of each storage is used. */
export interface Usage {
  memoryBytes: number;
  storeBytes: number;
  memoryReserved: number;
  storeReserved: number;
}

/** The streams of one account. */
export class Streams implements Surroundings {
  readonly broker: Account;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly serverName: string;
  readonly domain: string;
  limits: StreamLimits;
  readonly restores: RestoreRoom;
  /** Archives that are being taken. */
  readonly restoring = new Set<{ giveUp(): Promise<void> }>();
  private closed = false;
  private readonly random: () => number;
  private readonly makeStore: StreamsParts['newStore'];
  private readonly advisories: Advisories;
  private measuredMs = 0;
  private memoryFull = false;
  private storeFull = false;
  private readonly byName = new Map<string, Stream>();
  /** Requests that wait for lists of subjects, and the end of the last one's. */
  private listings = 0;
  private listed: Promise<unknown> = Promise.resolve();
  /** Names of streams that are being made. */
  private readonly making = new Map<string, StreamConfig>();
  /** What is being removed of streams that were deleted: one that takes the name waits for it. */
  private readonly leaving = new Map<string, Promise<void>>();

  constructor(parts: StreamsParts) {
    const { broker, clock, logger, random, serverName, domain, limits, restores, newStore } = parts;
    this.serverName = serverName;
    this.broker = broker;
    this.clock = clock;
    this.logger = logger;
    this.random = random;
    this.domain = domain;
    this.limits = limits;
    this.restores = restores;
    this.makeStore = newStore;
    this.advisories = new Advisories({ broker, clock, newId: (length) => this.newId(length), domain });
  }

  newId(length: number): string {
    return newId(length, this.random);
  }

  advise(subject: string, type: string, fields: object): void {
    this.advisories.advise(subject, type, fields);
  }

  measure(subject: string, type: string, fields: object): void {
    this.advisories.measure(subject, type, fields);
  }

  /** By name. */
  all(): Stream[] {
    return [...this.byName.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  get size(): number {
    return this.byName.size;
  }

  find(name: string): Stream | undefined {
    return this.byName.get(name);
  }

  /** The stream; throws an `ApiError` when there is none. */
  get(name: string): Stream {
    const stream = this.byName.get(name);
    if (stream === undefined) throw apiError('streamNotFound');
    return stream;
  }

  /** Makes a stream; one that is there already with the same configuration is answered as it is. */
  async create(request: StreamRequest, pedantic: boolean): Promise<Stream> {
    const config = this.complete(request, pedantic);
    if (config.num_replicas > 1) throw apiError('streamReplicasNotSupported');
    const old = this.byName.get(config.name);
    if (old !== undefined) {
      if (isDeepStrictEqual(inOrder(old.config), inOrder(config))) return old;
      throw apiError('streamNameExist');
    }
    if (this.making.has(config.name)) throw apiError('streamNameExist');
    if (this.limits.streamsMax >= 0 && this.size + this.making.size >= this.limits.streamsMax)
      throw apiError('maximumStreamsLimit');
    this.checkOverlap(config);
    this.checkRoom(config, 0);
    this.making.set(config.name, config);
    try {
      return await this.make(config);
    } finally {
      this.making.delete(config.name);
    }
  }

  private async make(config: StreamConfig): Promise<Stream> {
    const store = await this.newStore(config);
    const createdMs = this.clock.nowMs();
    await store.saveConfig(config, createdMs);
    const stream = await Stream.open({ config, createdMs, surroundings: this, store });
    await this.add(stream);
    this.adviseStream(stream, 'CREATED', 'create');
    return stream;
  }

  /** Brings back a stream that was written down. */
  async restore({ config, createdMs }: StoredStream, store: StreamStore): Promise<Stream> {
    const stream = await Stream.open({ config, createdMs, surroundings: this, store });
    await this.add(stream);
    return stream;
  }

  /** Makes a stream that takes no messages yet: an archive is about to fill it. */
  async beginRestore(request: StreamRequest): Promise<Stream> {
    const config = this.complete(request, false);
    if (this.byName.has(config.name) || this.making.has(config.name)) throw apiError('streamNameExistRestoreFailed');
    if (config.num_replicas > 1) throw apiError('streamReplicasNotSupported');
    this.checkOverlap(config);
    this.checkRoom(config, 0);
    this.making.set(config.name, config);
    try {
      const store = await this.newStore(config);
      // Without its configuration it is no stream yet, should the process end now.
      return await Stream.open({ config, createdMs: this.clock.nowMs(), surroundings: this, store });
    } catch (error) {
      this.making.delete(config.name);
      throw error;
    }
  }

  /** The archive was taken: the stream is one like any other. */
  async endRestore(stream: Stream): Promise<void> {
    await stream.store.saveConfig(stream.config, stream.createdMs);
    this.making.delete(stream.name);
    stream.recall();
    await this.add(stream);
    this.adviseStream(stream, 'CREATED', 'create');
  }

  async abortRestore(stream: Stream): Promise<void> {
    this.making.delete(stream.name);
    await stream.close('deleted');
  }

  private async add(stream: Stream): Promise<void> {
    if (this.closed) {
      // Others may open it anew by now.
      await stream.close('shutdown');
      throw apiError('notEnabledForAccount');
    }
    this.byName.set(stream.name, stream);
    stream.listen();
    this.lookAgain();
  }

  /** Streams that take messages of others look whether those are there. */
  private lookAgain(): void {
    for (const stream of this.byName.values()) stream.inflow?.lookAgain();
  }

  /** Lists subjects of a stream: one list after the other, each may be long. */
  async listing(stream: Stream, filter: string, offset: number): Promise<SubjectList> {
    if (this.listings >= LISTINGS_MAX) throw apiError('insufficientResources');
    this.listings++;
    const list = this.listed.then(() => listSubjects(stream, filter, offset));
    this.listed = list.catch(() => undefined);
    return list.finally(() => this.listings--);
  }

  findOrigin(name: string): Origin | undefined {
    return this.byName.get(name);
  }

  async update(request: StreamRequest, pedantic: boolean): Promise<Stream> {
    const config = this.complete(request, pedantic);
    const stream = this.get(config.name);
    checkStreamUpdate(stream.config, config);
    this.checkOverlap(config);
    this.checkRoom(config, Math.max(0, stream.config.max_bytes));
    config.metadata = storedStreamMetadata(config);
    const ordered = inOrder(config);
    if (isLowered(stream.config, ordered)) await stream.store.noteSweep();
    if (!stream.closed) await stream.store.saveConfig(ordered, stream.createdMs);
    if (stream.closed) throw apiError('streamNotFound');
    const swept = stream.configure(ordered);
    this.lookAgain();
    await swept;
    this.adviseStream(stream, 'UPDATED', 'modify');
    return stream;
  }

  async delete(name: string): Promise<void> {
    const stream = this.get(name);
    this.byName.delete(name);
    const leaving = stream.close('deleted').finally(() => this.leaving.delete(name));
    this.leaving.set(name, leaving);
    await leaving;
    this.adviseStream(stream, 'DELETED', 'delete');
  }

  private async newStore(config: StreamConfig): Promise<StreamStore> {
    await this.leaving.get(config.name)?.catch(() => undefined);
    return this.makeStore(config);
  }

  private complete(request: StreamRequest, pedantic: boolean): StreamConfig {
    const config = completeStream(request, {
      pedantic,
      duplicateWindowMax: this.limits.duplicateWindowMaxNs,
      find: (name) => this.byName.get(name)?.config ?? this.making.get(name),
      hasListener: (subject) => this.broker.hasListener(subject),
      domain: this.domain,
    });
    config.metadata = storedStreamMetadata(config);
    return inOrder(config);
  }

  private checkOverlap({ name, subjects = [] }: StreamConfig): void {
    const others = [...this.byName.values()].map(({ config }) => config).concat(...this.making.values());
    const taken = others.flatMap((other) => (other.name === name ? [] : (other.subjects ?? [])));
    if (anyOverlap(subjects, taken)) throw apiError('streamSubjectOverlap');
  }

  /** Whether as many bytes as the stream may have are there; `had` of them it has already. */
  private checkRoom({ max_bytes, storage }: StreamConfig, had: number): void {
    const { bytesMaxRequired, memoryStreamBytesMax, storeStreamBytesMax, tier } = this.limits;
    if (tier === 'missing') throw apiError('noLimits');
    if (bytesMaxRequired && max_bytes <= 0) throw apiError('streamMaxBytesRequired');
    const most = storage === 'memory' ? memoryStreamBytesMax : storeStreamBytesMax;
    if (most >= 0 && max_bytes > most) throw apiError('streamMaxStreamBytesExceeded');
    const { memoryBytesMax, storeBytesMax } = this.limits;
    if (max_bytes <= 0 && (storage === 'memory' ? memoryBytesMax : storeBytesMax) !== 0) return;
    const { memoryReserved, storeReserved } = this.usage();
    const [reserved, max] = storage === 'memory' ? [memoryReserved, memoryBytesMax] : [storeReserved, storeBytesMax];
    if (max < 0 || (max > 0 && reserved - had + max_bytes <= max)) return;
    throw apiError(storage === 'memory' ? 'memoryResourcesExceeded' : 'storageResourcesExceeded');
  }

  usage(): Usage {
    const usage: Usage = { memoryBytes: 0, storeBytes: 0, memoryReserved: 0, storeReserved: 0 };
    for (const { config, log } of this.byName.values()) {
      const reserved = Math.max(0, config.max_bytes);
      if (config.storage === 'memory') {
        usage.memoryBytes += log.state.bytes;
        usage.memoryReserved += reserved;
      } else {
        usage.storeBytes += log.state.bytes;
        usage.storeReserved += reserved;
      }
    }
    return usage;
  }

  /** Whether as much as may be is stored; looked at now and then. */
  isExhausted(storage: StreamConfig['storage'], nowMs: number): boolean {
    const { memoryBytesMax, storeBytesMax } = this.limits;
    if ((storage === 'memory' ? memoryBytesMax : storeBytesMax) < 0) return false;
    if (nowMs - this.measuredMs >= MEASURE_MS) {
      this.measuredMs = nowMs;
      const { memoryBytes, storeBytes } = this.usage();
      this.memoryFull = memoryBytesMax >= 0 && memoryBytes >= memoryBytesMax;
      this.storeFull = storeBytesMax >= 0 && storeBytes >= storeBytesMax;
    }
    return storage === 'memory' ? this.memoryFull : this.storeFull;
  }

  /** Tells whoever waits for messages that the server stops; nobody gets any from now on. */
  dismiss(): void {
    for (const { consumers } of this.byName.values())
      for (const consumer of consumers.values()) consumer.close('409 Server Shutdown');
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.restoring].map((receiver) => receiver.giveUp()));
    await Promise.all([...this.byName.values()].map((stream) => stream.close('shutdown')));
    this.byName.clear();
  }

  private adviseStream({ name }: Stream, event: string, action: string): void {
    this.advise(`STREAM.${event}.${name}`, 'stream_action', { stream: name, action });
  }
}
