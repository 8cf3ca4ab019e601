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
  private last: Promise<unknown> = Promise.resolve();

  constructor(store: PluginStore) {
    this.store = store;
  }

  /** Goes on with what another store has. Rejects with a `Failure` that names the mistake in it. */
  async open(store: PluginStore): Promise<void> {
    const text = await store.load();
    this.store = store;
    if (text === null) return;
    const read = (await import('./ledger-schema.js')).readLedger(text);
    this.plugins = read.plugins;
    this.attachments = read.attachments;
  }

  /** Runs one change at a time. */
  exclusive<T>(change: () => Promise<T>): Promise<T> {
    const done = this.last.then(change, change);
    this.last = done.catch(() => {});
    return done;
  }

  /** Saves with another list of plugins or attachments. Only within `exclusive`. */
  async save(change: Partial<LedgerContents>): Promise<void> {
    const { plugins = this.plugins, attachments = this.attachments } = change;
    await this.store.save(`${JSON.stringify({ format: LEDGER_FORMAT, plugins, attachments }, null, 1)}\n`);
    this.plugins = plugins;
    this.attachments = attachments;
  }

  /** Removes modules that no version is made of. */
  async tidy(): Promise<void> {
    const digests = this.plugins.flatMap(({ versions }) => versions.map(({ sha256 }) => sha256));
    await this.store.keepModules(new Set(digests));
  }
}
