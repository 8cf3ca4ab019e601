import { createHash } from 'node:crypto';
import { describe, Failure } from '../base/failure.js';
import { Store, type StoreOptions } from '../storage/store.js';
import { moduleMissing, type PluginStore } from './plugin-store.js';

const LEDGER_FILE = 'ledger';
const MODULES = 'modules';
const STATES = 'state';
const TEMPORARY = /\.tmp$/;

/**
 * Plugins in a folder, each file replaced as a whole, with a checksum, and encrypted if the store is (`Store.writeFile`):
 *
 * ```text
 * ledger              which versions and attachments there are
 * modules/<sha256>    what a version is made of, named by its content
 * state/<attachment>  what an attachment's plugin saved
 * lock                a socket of the process that owns the folder
 * ```
 *
 * A module is there before the ledger that names it, and removed after the ledger that no longer does: whatever a crash leaves behind besides is
 * removed at the next start.
 */
export class FolderPluginStore implements PluginStore {
  private readonly store: Store;

  private constructor(store: Store) {
    this.store = store;
  }

  /** Opens the folder, making it when it is not there. Rejects with a `Failure` when that cannot be done, or another process owns it. */
  static async open(options: StoreOptions): Promise<FolderPluginStore> {
    const what = `cannot use the folder of plugins ${JSON.stringify(options.folder)}`;
    const store = await guarded(what, () => Store.open(options));
    const plugins = new FolderPluginStore(store);
    try {
      await guarded(what, () => plugins.prepare());
    } catch (error) {
      await store.close();
      throw error;
    }
    return plugins;
  }

  close(): Promise<void> {
    return this.store.close();
  }

  async load(): Promise<string | null> {
    const bytes = await this.read(LEDGER_FILE);
    if (bytes === 'damaged') throw new Failure('plugin-store', `${this.fileOf(LEDGER_FILE)} was damaged`);
    return bytes === null ? null : Buffer.from(bytes).toString('utf8');
  }

  save(state: string): Promise<void> {
    return this.write(LEDGER_FILE, Buffer.from(state, 'utf8'));
  }

  async readModule(sha256: string): Promise<Uint8Array> {
    const path = `${MODULES}/${sha256}`;
    const bytes = await this.read(path);
    if (bytes === null) throw moduleMissing(sha256, this.fileOf(path));
    if (bytes === 'damaged') throw new Failure('plugin-store', `the module in ${this.fileOf(path)} was damaged`);
    const found = createHash('sha256').update(bytes).digest('hex');
    if (found === sha256) return bytes;
    const text = `the module in ${this.fileOf(path)} is another one: its ${bytes.length} bytes have the digest ${found}`;
    throw new Failure('plugin-store', text);
  }

  writeModule(sha256: string, wasm: Uint8Array): Promise<void> {
    return this.write(`${MODULES}/${sha256}`, wasm);
  }

  keepModules(digests: ReadonlySet<string>): Promise<void> {
    return guarded(`cannot tidy up ${this.fileOf(MODULES)}`, async () => {
      for (const name of await this.store.list(MODULES))
        if (!digests.has(name)) await this.store.removeFile(`${MODULES}/${name}`);
    });
  }

  async readGuestState(attachment: string): Promise<Uint8Array | null> {
    const path = `${STATES}/${attachment}`;
    const bytes = await this.read(path);
    if (bytes === 'damaged') throw new Failure('plugin-store', `the saved state in ${this.fileOf(path)} was damaged`);
    return bytes;
  }

  async writeGuestState(attachment: string, state: Uint8Array | null): Promise<void> {
    const path = `${STATES}/${attachment}`;
    if (state !== null) return this.write(path, state);
    await guarded(`cannot remove ${this.fileOf(path)}`, () => this.store.removeFile(path));
  }

  /** Makes the folders, and removes what a crash left half written. */
  private async prepare(): Promise<void> {
    for (const folder of ['', MODULES, STATES]) {
      if (folder !== '') await this.store.makeFolder(folder);
      for (const name of await this.store.list(folder)) {
        if (TEMPORARY.test(name)) await this.store.removeFile(folder === '' ? name : `${folder}/${name}`);
      }
    }
  }

  private read(path: string): Promise<Uint8Array | null | 'damaged'> {
    return guarded(`cannot read ${this.fileOf(path)}`, () => this.store.readFile(path));
  }

  private write(path: string, bytes: Uint8Array): Promise<void> {
    return guarded(`cannot write ${this.fileOf(path)}`, () => this.store.writeFile(path, bytes));
  }

  /** For messages. */
  private fileOf(path: string): string {
    return JSON.stringify(`${this.store.folder}/${path}`);
  }
}

async function guarded<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const inUse = error instanceof Failure && error.code === 'STORE_IN_USE';
    throw new Failure('plugin-store', `${what}: ${inUse ? 'another server uses it' : describe(error)}`, {
      cause: error,
    });
  }
}
