import { Failure } from '../base/failure.js';

/**
 * Where an account's plugins outlive the process. What resolves is durable: after a crash at any moment the store holds the state of before
 * or of after, whole.
 */
export interface PluginStore {
  /** The last state that was saved, as JSON text; null when there is none. */
  load(): Promise<string | null>;
  save(state: string): Promise<void>;
  /** A module by its digest. Rejects with a `Failure` when it is not there, or is not what its digest says. */
  readModule(sha256: string): Promise<Uint8Array>;
  writeModule(sha256: string, wasm: Uint8Array): Promise<void>;
  /** Removes every module that is not named. */
  keepModules(digests: ReadonlySet<string>): Promise<void>;
  /** What an attachment's plugin saved; null when it saved nothing. */
  readGuestState(attachment: string): Promise<Uint8Array | null>;
  /** Null removes it. */
  writeGuestState(attachment: string, state: Uint8Array | null): Promise<void>;
  /** Lets others have it. */
  close(): Promise<void>;
}

/** Keeps everything in memory: for servers without a store directory. */
export class MemoryPluginStore implements PluginStore {
  private readonly modules = new Map<string, Uint8Array>();
  private readonly guestStates = new Map<string, Uint8Array>();

  async load(): Promise<null> {
    return null;
  }

  /** There is nothing that could be read again after the end of the process. */
  async save(_state: string): Promise<void> {}

  async readModule(sha256: string): Promise<Uint8Array> {
    const found = this.modules.get(sha256);
    if (found === undefined) throw moduleMissing(sha256, 'memory');
    return found;
  }

  async writeModule(sha256: string, wasm: Uint8Array): Promise<void> {
    this.modules.set(sha256, wasm);
  }

  async keepModules(digests: ReadonlySet<string>): Promise<void> {
    for (const sha256 of this.modules.keys()) if (!digests.has(sha256)) this.modules.delete(sha256);
  }

  async readGuestState(attachment: string): Promise<Uint8Array | null> {
    return this.guestStates.get(attachment) ?? null;
  }

  async writeGuestState(attachment: string, state: Uint8Array | null): Promise<void> {
    if (state === null) this.guestStates.delete(attachment);
    else this.guestStates.set(attachment, state);
  }

  async close(): Promise<void> {}
}

/** A store that is opened when it is first needed. */
export class LazyPluginStore implements PluginStore {
  private readonly open: () => Promise<PluginStore>;
  private opened: Promise<PluginStore> | null = null;

  constructor(open: () => Promise<PluginStore>) {
    this.open = open;
  }

  async load(): Promise<string | null> {
    return (await this.store()).load();
  }

  async save(state: string): Promise<void> {
    return (await this.store()).save(state);
  }

  async readModule(sha256: string): Promise<Uint8Array> {
    return (await this.store()).readModule(sha256);
  }

  async writeModule(sha256: string, wasm: Uint8Array): Promise<void> {
    return (await this.store()).writeModule(sha256, wasm);
  }

  async keepModules(digests: ReadonlySet<string>): Promise<void> {
    return (await this.store()).keepModules(digests);
  }

  async readGuestState(attachment: string): Promise<Uint8Array | null> {
    return (await this.store()).readGuestState(attachment);
  }

  async writeGuestState(attachment: string, state: Uint8Array | null): Promise<void> {
    return (await this.store()).writeGuestState(attachment, state);
  }

  async close(): Promise<void> {
    await (await this.opened)?.close();
  }

  /** One that could not be opened is tried again the next time. */
  private store(): Promise<PluginStore> {
    this.opened ??= this.open().catch((error) => {
      this.opened = null;
      throw error;
    });
    return this.opened;
  }
}

export function moduleMissing(sha256: string, where: string): Failure {
  return new Failure('plugin-store', `the module with the digest ${sha256} is not in ${where}`);
}
