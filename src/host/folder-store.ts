import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, Failure } from '../base/failure.js';
import type { DiskLock } from '../storage/disk.js';
import { lockFolder } from '../storage/folder-lock.js';
import { moduleMissing, type PluginStore } from './plugin-store.js';

const STATE_FILE = 'plugins.json';
const PARTS = ['', 'modules', 'state'];
const TEMPORARY = /\.tmp$/;

/**
 * Plugins in a folder:
 *
 * ```text
 * plugins.json             which versions and attachments there are
 * modules/<sha256>.wasm    what a version is made of, named by its content
 * state/<attachment>       what an attachment's plugin saved
 * lock                     a socket of the process that owns the folder
 * ```
 *
 * A file is written beside its place, synced and moved there, and the folder is synced. A module is there before the state that names it, and removed
 * after the state that no longer does: whatever a crash leaves behind besides is removed at the next start.
 */
export class FolderPluginStore implements PluginStore {
  private readonly folder: string;
  private readonly lock: DiskLock;

  private constructor(folder: string, lock: DiskLock) {
    this.folder = folder;
    this.lock = lock;
  }

  /** Opens the folder, making it when it is not there. Rejects with a `Failure` when that cannot be done, or another process owns it. */
  static open(folder: string): Promise<FolderPluginStore> {
    const what = `cannot use the folder of plugins ${JSON.stringify(folder)}`;
    return guarded(what, async () => {
      for (const part of PARTS) await mkdir(join(folder, part), { recursive: true });
      const lock = await lockFolder(folder);
      if (lock === null) throw new Failure('plugin-store', `${what}: another server uses it`);
      for (const part of PARTS) await clean(join(folder, part));
      return new FolderPluginStore(folder, lock);
    });
  }

  close(): Promise<void> {
    return this.lock.release();
  }

  async load(): Promise<string | null> {
    const bytes = await this.read(STATE_FILE);
    return bytes === null ? null : Buffer.from(bytes).toString('utf8');
  }

  save(state: string): Promise<void> {
    return this.write('', STATE_FILE, Buffer.from(state, 'utf8'));
  }

  async readModule(sha256: string): Promise<Uint8Array> {
    const file = join('modules', `${sha256}.wasm`);
    const bytes = await this.read(file);
    if (bytes === null) throw moduleMissing(sha256, JSON.stringify(join(this.folder, file)));
    const found = createHash('sha256').update(bytes).digest('hex');
    if (found === sha256) return bytes;
    const text = `the file ${JSON.stringify(join(this.folder, file))} was damaged: its ${bytes.length} bytes have the digest ${found}`;
    throw new Failure('plugin-store', text);
  }

  writeModule(sha256: string, wasm: Uint8Array): Promise<void> {
    return this.write('modules', `${sha256}.wasm`, wasm);
  }

  async keepModules(digests: ReadonlySet<string>): Promise<void> {
    const folder = join(this.folder, 'modules');
    await guarded(`cannot tidy up ${JSON.stringify(folder)}`, async () => {
      for (const name of await readdir(folder)) {
        if (name.endsWith('.wasm') && !digests.has(name.slice(0, -'.wasm'.length))) await unlink(join(folder, name));
      }
    });
  }

  readGuestState(attachment: string): Promise<Uint8Array | null> {
    return this.read(join('state', attachment));
  }

  async writeGuestState(attachment: string, state: Uint8Array | null): Promise<void> {
    if (state !== null) return this.write('state', attachment, state);
    const file = join(this.folder, 'state', attachment);
    await guarded(`cannot remove ${JSON.stringify(file)}`, () => unlink(file).catch(unlessMissing));
  }

  private read(name: string): Promise<Uint8Array | null> {
    const file = join(this.folder, name);
    return guarded(`cannot read ${JSON.stringify(file)}`, () => readFile(file).catch(unlessMissing));
  }

  private write(part: string, name: string, bytes: Uint8Array): Promise<void> {
    const folder = join(this.folder, part);
    const file = join(folder, name);
    const temporary = `${file}.tmp`;
    return guarded(`cannot write ${JSON.stringify(file)}`, async () => {
      await using(await open(temporary, 'w', 0o600), async (handle) => {
        await handle.writeFile(bytes);
        await handle.sync();
      });
      await rename(temporary, file);
      await using(await open(folder, 'r'), (handle) => handle.sync());
    });
  }
}

/** Removes what a crash left half written. */
async function clean(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (TEMPORARY.test(name)) await unlink(join(folder, name));
}

async function using(handle: FileHandle, run: (handle: FileHandle) => Promise<void>): Promise<void> {
  try {
    await run(handle);
  } finally {
    await handle.close();
  }
}

function unlessMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

async function guarded<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure('plugin-store', `${what}: ${describe(error)}`, { cause: error });
  }
}
