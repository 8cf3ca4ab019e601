import { type AttachmentRecord, LEDGER_FORMAT, type LedgerContents, type PluginRecord } from './ledger-contents.js';
import type { PluginStore } from './plugin-store.js';

/**
 * What an account's plugins are, durably: one change after the other, each saved whole before it takes effect. A change that cannot be saved
 * does not happen.
 */
export class Ledger {
  store: PluginStore;
  plugins: readonly PluginRecord[] = [];
  attachments: readonly AttachmentRecord[] = [];
  /** As it is stored. */
  private gone: readonly string[] = [];
  private last: Promise<unknown> = Promise.resolve();

  constructor(store: PluginStore) {
    this.store = store;
  }

  /** Goes on with what another store has. Rejects with a `Failure` that names the mistake in it. */
  async open(store: PluginStore): Promise<void> {
    // Its own from here on: whatever is wrong with it, it is closed with everything else.
    this.store = store;
    const text = await store.load();
    if (text === null) return;
    const read = (await import('./ledger-schema.js')).readLedger(text);
    this.plugins = read.plugins;
    this.attachments = read.attachments;
    this.gone = read.gone;
  }

  /** Runs one change at a time. */
  exclusive<T>(change: () => Promise<T>): Promise<T> {
    const done = this.last.then(change, change);
    this.last = done.catch(() => {});
    return done;
  }

  /** Saves with another list of plugins or attachments. Only within `exclusive`. */
  async save(change: Partial<LedgerContents>): Promise<void> {
    const { plugins = this.plugins, attachments = this.attachments, gone = [] } = change;
    // What is not told to be gone any more is gone.
    await this.removeStates();
    try {
      await this.store.save(textOf({ plugins, attachments, gone }));
    } catch (error) {
      // It may be there all the same, when only its name could not be made durable. What goes on is what was before.
      await this.store.save(textOf({ plugins: this.plugins, attachments: this.attachments, gone: [] })).catch(() => {});
      throw error;
    }
    this.plugins = plugins;
    this.attachments = attachments;
    this.gone = gone;
  }

  /** Stores what an attachment's plugin saved. Only within `exclusive`. */
  async saveState(attachment: string, state: Uint8Array): Promise<void> {
    // Else the next start would take it for that of the one that is gone.
    if (this.gone.includes(attachment)) await this.save({});
    await this.store.writeGuestState(attachment, state);
  }

  /** Removes what attachments that are gone had saved. */
  async removeStates(): Promise<void> {
    for (const attachment of this.gone) await this.store.writeGuestState(attachment, null);
  }

  /** Removes modules that no version is made of. */
  async tidy(): Promise<void> {
    const digests = this.plugins.flatMap(({ versions }) => versions.map(({ sha256 }) => sha256));
    await this.store.keepModules(new Set(digests));
  }
}

function textOf(contents: LedgerContents): string {
  return `${JSON.stringify({ format: LEDGER_FORMAT, ...contents }, null, 1)}\n`;
}
