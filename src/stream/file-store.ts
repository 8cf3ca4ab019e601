import { createHash } from 'node:crypto';
import { textOf, utf8 } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { describe, Failure } from '../base/failure.js';
import type { Logger } from '../base/logger.js';
import type { SyncPolicy } from '../storage/committer.js';
import type { LogListener, MessageLog } from '../storage/message-log.js';
import type { Store } from '../storage/store.js';
import type { LedgerState } from './ledger.js';
import type { StoredMarks } from './source-marks.js';
import { StateWriter } from './state-writer.js';
import type { StreamConfig } from './stream-config.js';
import type { StoredConsumer, StoredStream, StreamStore } from './stream-store.js';

/** What the stores of all streams share. */
export interface FileHouse {
  store: Store;
  clock: Clock;
  logger: Logger;
  sync: SyncPolicy;
  syncIntervalMs: number;
}

/**
 * One stream's folder. Configurations and states are small files that are replaced as a whole; folders of consumers have names made of
 * theirs.
 *
 * ```text
 * <folder>/stream                      configuration, as JSON
 * <folder>/sweep                       is there while messages beyond lowered limits are removed
 * <folder>/sources                     how far they were taken
 * <folder>/messages/…                  the log's own
 * <folder>/consumers/<consumer>/consumer    configuration
 * <folder>/consumers/<consumer>/state       what was given and acknowledged
 * ```
 */
export class FileStreamStore implements StreamStore {
  readonly folder: string;
  private readonly house: FileHouse;
  private readonly writers = new Map<string, StateWriter>();
  private marks: StateWriter | null = null;
  private sweepNoted = false;
  /** By consumer, and of the stream itself (''): what is under way with its files. Requests are at work side by side, and a name can be given up and taken again. */
  private readonly turns = new Map<string, Promise<void>>();

  constructor(folder: string, house: FileHouse) {
    this.folder = folder;
    this.house = house;
  }

  /** What the folder holds: null when it holds no stream. Rejects with a `Failure` when it cannot be read. */
  async read(): Promise<StoredStream | null> {
    const path = `${this.folder}/stream`;
    const bytes = await this.house.store.readFile(path);
    if (bytes === 'damaged') throw new Failure('stream-damaged', `${path} is damaged: it stays where it is`);
    return bytes === null ? null : (JSON.parse(textOf(bytes)) as StoredStream);
  }

  /** The stream's consumers, with their states. */
  async readConsumers(): Promise<StoredConsumer[]> {
    const found: StoredConsumer[] = [];
    for (const name of await this.house.store.list(`${this.folder}/consumers`)) {
      const folder = `${this.folder}/consumers/${name}`;
      const consumer = await this.readFile<Omit<StoredConsumer, 'state'>>(`${folder}/consumer`);
      if (consumer === null) continue;
      found.push({ ...consumer, state: await this.readFile<LedgerState>(`${folder}/state`) });
    }
    return found;
  }

  openLog(listener: LogListener, { persist_mode, compression }: StreamConfig): Promise<MessageLog> {
    const { store, sync, syncIntervalMs } = this.house;
    return store.openLog(`${this.folder}/messages`, {
      ...{ listener, syncIntervalMs, compress: compression === 's2' },
      sync: persist_mode === 'async' ? 'os' : sync,
    });
  }

  readMarks(): Promise<StoredMarks | null> {
    return this.readFile(`${this.folder}/sources`);
  }

  watchMarks(state: () => Promise<StoredMarks>): void {
    this.marks ??= this.newWriter(`${this.folder}/sources`, state);
  }

  touchMarks(): void {
    this.marks?.touch();
  }

  async flushMarks(): Promise<void> {
    await this.marks?.flush();
  }

  /** Whether an earlier process ended while it removed messages beyond lowered limits. */
  async readSweep(): Promise<boolean> {
    this.sweepNoted = (await this.house.store.readFile(`${this.folder}/sweep`)) !== null;
    return this.sweepNoted;
  }

  noteSweep(): Promise<void> {
    this.sweepNoted = true;
    return this.inTurn('', () => this.writeFile(`${this.folder}/sweep`, {}));
  }

  async endSweep(): Promise<void> {
    if (!this.sweepNoted) return;
    this.sweepNoted = false;
    await this.house.store.removeFile(`${this.folder}/sweep`);
  }

  saveConfig(config: StreamConfig, createdMs: number): Promise<void> {
    return this.inTurn('', async () => {
      await this.house.store.makeFolder(this.folder);
      await this.writeFile(`${this.folder}/stream`, { config, createdMs } satisfies StoredStream);
    });
  }

  saveConsumer(consumer: Omit<StoredConsumer, 'state'>, state: () => LedgerState): Promise<void> {
    return this.inTurn(consumer.name, async () => {
      const folder = this.folderOf(consumer.name);
      await this.house.store.makeFolder(folder);
      await this.writeFile(`${folder}/consumer`, consumer);
      this.watch(consumer.name, state);
    });
  }

  watch(name: string, state: () => LedgerState): void {
    if (this.writers.has(name)) return;
    this.writers.set(name, this.newWriter(`${this.folderOf(name)}/state`, state));
  }

  private newWriter(path: string, state: () => unknown): StateWriter {
    const { clock, logger } = this.house;
    const write = async () => this.writeFile(path, await state());
    const onFailure = (error: unknown) => logger.error(`Cannot write ${path}: ${describe(error)}`);
    return new StateWriter({ clock, write, onFailure });
  }

  removeConsumer(name: string): Promise<void> {
    return this.inTurn(name, async () => {
      const writer = this.writers.get(name);
      if (writer === undefined) return;
      this.writers.delete(name);
      await writer.stop();
      // First what makes it a consumer: what a crash leaves behind is none.
      await this.house.store.removeFile(`${this.folderOf(name)}/consumer`);
      await this.house.store.removeFolder(this.folderOf(name));
    });
  }

  touch(name: string): void {
    this.writers.get(name)?.touch();
  }

  async flush(name: string): Promise<boolean> {
    return (await this.writers.get(name)?.flush()) ?? true;
  }

  async close(): Promise<void> {
    await Promise.all([...this.writers.values()].map((writer) => writer.flush()));
    await Promise.all([...this.writers.values()].map((writer) => writer.stop()));
    await this.marks?.stop();
  }

  forget(): Promise<void> {
    return this.house.store.removeFile(`${this.folder}/stream`);
  }

  async delete(): Promise<void> {
    await Promise.allSettled(this.turns.values());
    await Promise.all([...this.writers.values()].map((writer) => writer.stop()));
    await this.marks?.stop();
    await this.forget();
    await this.house.store.removeFolder(this.folder);
  }

  private inTurn(owner: string, work: () => Promise<void>): Promise<void> {
    const turn = this.turns.get(owner)?.then(work, work) ?? work();
    this.turns.set(owner, turn);
    const end = () => {
      if (this.turns.get(owner) === turn) this.turns.delete(owner);
    };
    turn.then(end, end);
    return turn;
  }

  private folderOf(consumer: string): string {
    return `${this.folder}/consumers/${folderName(consumer)}`;
  }

  private writeFile(path: string, value: unknown): Promise<void> {
    return this.house.store.writeFile(path, utf8(JSON.stringify(value)));
  }

  private async readFile<T>(path: string): Promise<T | null> {
    const bytes = await this.house.store.readFile(path);
    if (bytes !== 'damaged') return bytes === null ? null : (JSON.parse(textOf(bytes)) as T);
    this.house.logger.error(`${path} is damaged: what it held is lost`);
    return null;
  }
}

/** A folder's name for a stream or a consumer: itself where that is safe everywhere, else what can be read of it and a digest. */
export function folderName(name: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return name;
  const readable = name.replace(/[^A-Za-z0-9_-]/g, '').slice(0, 32);
  return `${readable}.${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}
