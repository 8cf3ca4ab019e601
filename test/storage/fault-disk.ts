import type { Disk, DiskFile, DiskLock } from '../../src/storage/disk.js';
import type { Random } from './random.js';

/** One change of the disk that is not durable yet. */
type Change = { kind: 'write'; offset: number; bytes: Uint8Array } | { kind: 'truncate'; bytes: number };

/** A file's bytes as they are read, and as they are if the power fails. */
class Content {
  now = new Uint8Array(0);
  durable = new Uint8Array(0);
  changes: Change[] = [];
}

class DiskFault extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`${code}: made by the test`);
    this.code = code;
  }
}

/** What `crash` throws, and every call after it. */
const CRASHED = 'CRASHED';

/**
 * A disk in memory that forgets and fails on demand. Writes are durable after a sync of their file, names after a sync of their folder.
 * A crash (`afterPowerLoss`) keeps of all else a part chosen by chance: some writes, some bytes of a write, some names.
 */
export class FaultDisk implements Disk {
  /** Changes of files, names and syncs so far. */
  steps = 0;
  /**
   * The step at which the machine stops: nothing works any more. Parts of what is written nevertheless may get there: then the disk failed
   * first, and the power while all was written again.
   */
  crashAt = Number.POSITIVE_INFINITY;
  /** Asked before each step: a code fails it. */
  fault: (step: { kind: 'write' | 'sync' | 'name' | 'read'; path: string; bytes: number }) => string | null = () =>
    null;
  names = new Map<string, Content>();
  durableNames = new Map<string, Content>();
  private readonly owned = new Set<string>();

  /** The disk as the next start finds it. */
  afterPowerLoss(random: Random): FaultDisk {
    const disk = new FaultDisk();
    const kept = new Map<Content, Content>();
    const names = new Map(this.durableNames);
    for (const path of new Set([...this.names.keys(), ...this.durableNames.keys()])) {
      if (this.names.get(path) === this.durableNames.get(path) || random.next(2) === 0) continue;
      const content = this.names.get(path);
      if (content === undefined) names.delete(path);
      else names.set(path, content);
    }
    for (const [path, content] of names) {
      let copy = kept.get(content);
      if (copy === undefined) kept.set(content, (copy = survivor(content, random)));
      disk.names.set(path, copy);
      disk.durableNames.set(path, copy);
    }
    return disk;
  }

  /** The disk as it is when the process is killed and the machine goes on: what was not synced still is not. */
  afterKill(): FaultDisk {
    const disk = new FaultDisk();
    const copies = new Map<Content, Content>();
    const copyOf = (content: Content) => {
      if (!copies.has(content)) copies.set(content, copied(content));
      return copies.get(content)!;
    };
    for (const [path, content] of this.names) disk.names.set(path, copyOf(content));
    for (const [path, content] of this.durableNames) disk.durableNames.set(path, copyOf(content));
    return disk;
  }

  put(path: string, bytes: Uint8Array): void {
    const content = new Content();
    content.now = bytes.slice();
    content.durable = bytes.slice();
    this.names.set(path, content);
    this.durableNames.set(path, content);
  }

  get(path: string): Uint8Array {
    return this.names.get(path)!.now;
  }

  async open(path: string, mode: 'r+' | 'w+'): Promise<DiskFile> {
    await this.step('name', path, 0);
    let content = this.names.get(path);
    if (mode === 'w+') {
      content ??= new Content();
      content.now = new Uint8Array(0);
      content.changes.push({ kind: 'truncate', bytes: 0 });
      this.names.set(path, content);
    }
    if (content === undefined) throw new DiskFault('ENOENT');
    return new FaultFile(this, path, content);
  }

  async list(folder: string): Promise<string[]> {
    await this.pause();
    const prefix = `${folder}/`;
    return [...this.names.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  }

  async makeFolder(): Promise<void> {
    await this.pause();
  }

  async rename(from: string, to: string): Promise<void> {
    await this.step('name', from, 0);
    const content = this.names.get(from);
    if (content === undefined) throw new DiskFault('ENOENT');
    this.names.delete(from);
    this.names.set(to, content);
  }

  async removeFile(path: string): Promise<void> {
    await this.step('name', path, 0);
    this.names.delete(path);
  }

  async removeFolder(folder: string): Promise<void> {
    await this.step('name', folder, 0);
    for (const path of [...this.names.keys()]) if (path.startsWith(`${folder}/`)) this.names.delete(path);
  }

  async syncFolder(folder: string): Promise<void> {
    await this.step('sync', folder, 0);
    const prefix = `${folder}/`;
    for (const path of [...this.durableNames.keys()]) {
      if (path.startsWith(prefix) && !this.names.has(path)) this.durableNames.delete(path);
    }
    // Those of folders in it become durable with their own folder only.
    for (const [path, content] of this.names) {
      if (path.startsWith(prefix) && !path.includes('/', prefix.length)) this.durableNames.set(path, content);
    }
  }

  async lock(folder: string): Promise<DiskLock | null> {
    await this.pause();
    if (this.owned.has(folder)) return null;
    this.owned.add(folder);
    return {
      release: async () => {
        this.owned.delete(folder);
      },
    };
  }

  /** Counts a step; fails it when it is to fail. */
  async step(kind: 'write' | 'sync' | 'name', path: string, bytes: number): Promise<void> {
    await this.pause();
    this.steps++;
    if (this.steps >= this.crashAt) throw new DiskFault(CRASHED);
    const code = this.fault({ kind, path, bytes });
    if (code !== null) throw new DiskFault(code);
  }

  failRead(path: string, bytes: number): void {
    if (this.steps >= this.crashAt) throw new DiskFault(CRASHED);
    const code = this.fault({ kind: 'read', path, bytes });
    if (code !== null) throw new DiskFault(code);
  }

  /** A real disk answers later. */
  private pause(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}

class FaultFile implements DiskFile {
  private readonly disk: FaultDisk;
  private readonly path: string;
  private readonly content: Content;

  constructor(disk: FaultDisk, path: string, content: Content) {
    this.disk = disk;
    this.path = path;
    this.content = content;
  }

  get bytes(): number {
    return this.content.now.length;
  }

  async write(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    const bytes = Buffer.concat(pieces);
    const { content } = this;
    try {
      await this.disk.step('write', this.path, bytes.length);
    } catch (thrown) {
      // Some of it may have got there all the same.
      const part = bytes.subarray(0, Math.floor(bytes.length / 2));
      content.changes.push({ kind: 'write', offset, bytes: part });
      content.now = applied(content.now, content.changes.at(-1)!);
      throw thrown;
    }
    content.changes.push({ kind: 'write', offset, bytes });
    content.now = applied(content.now, content.changes.at(-1)!);
  }

  async writeDurably(pieces: readonly Uint8Array[], offset: number): Promise<void> {
    await this.write(pieces, offset);
    await this.sync();
  }

  async sync(): Promise<void> {
    try {
      await this.disk.step('sync', this.path, 0);
    } catch (thrown) {
      // The system takes the pages for written: what was lost stays lost until it is written again.
      if ((thrown as DiskFault).code !== CRASHED) this.content.changes = [];
      throw thrown;
    }
    for (const change of this.content.changes) this.content.durable = applied(this.content.durable, change);
    this.content.changes = [];
  }

  async truncate(bytes: number): Promise<void> {
    await this.disk.step('write', this.path, 0);
    this.content.changes.push({ kind: 'truncate', bytes });
    this.content.now = applied(this.content.now, this.content.changes.at(-1)!);
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.readSync(into, offset);
  }

  readSync(into: Uint8Array, offset: number): number {
    this.disk.failRead(this.path, into.length);
    const part = this.content.now.subarray(offset, offset + into.length);
    into.set(part);
    return part.length;
  }

  moved(): void {}

  async close(): Promise<void> {}
}

function applied(bytes: Uint8Array, change: Change): Uint8Array<ArrayBuffer> {
  if (change.kind === 'truncate') {
    const cut = new Uint8Array(change.bytes);
    cut.set(bytes.subarray(0, change.bytes));
    return cut;
  }
  const grown = new Uint8Array(Math.max(bytes.length, change.offset + change.bytes.length));
  grown.set(bytes);
  grown.set(change.bytes, change.offset);
  return grown;
}

/** What is left of a file: what was durable, and of the rest some changes, or parts of them. */
function copied({ now, durable, changes }: Content): Content {
  const copy = new Content();
  copy.now = now.slice();
  copy.durable = durable.slice();
  copy.changes = [...changes];
  return copy;
}

function survivor(content: Content, random: Random): Content {
  let bytes = content.durable;
  for (const change of content.changes) {
    const roll = random.next(4);
    if (roll === 0) continue;
    if (roll === 1 && change.kind === 'write') {
      const from = random.next(change.bytes.length + 1);
      const part = change.bytes.subarray(from, from + random.next(change.bytes.length + 1));
      bytes = applied(bytes, { kind: 'write', offset: change.offset + from, bytes: part });
    } else bytes = applied(bytes, change);
  }
  const left = new Content();
  left.now = bytes;
  left.durable = bytes.slice();
  return left;
}
