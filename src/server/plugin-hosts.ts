import { join } from 'node:path';
import { SYSTEM_ACCOUNT } from '../auth/identity.js';
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Accounts } from '../broker/accounts.js';
import type { Options } from '../config/options.js';
import { PluginApi } from '../host/plugin-api.js';
import { DEFAULT_WORKERS, LAST_WORDS_MS, PluginHost } from '../host/plugin-host.js';
import type { PluginStore } from '../host/plugin-store.js';
import type { PluginStreams } from '../host/plugin-streams.js';
import { PluginTurn } from '../host/turn.js';
import type { Compiler } from '../sandbox/compiler.js';
import type { ThreadSnapshot, WorkerTier } from '../workers/tier.js';
import { ApiResponder, type PluginChangeListener } from './api-responder.js';
import { encryptionOf } from './store-encryption.js';

interface Parts {
  clock: Clock;
  logger: Logger;
  options: () => Options;
}

/** The plugin hosts, one for each account but the system's. They share plugins' part of a turn of the event loop, and a compiler. */
export class PluginHosts {
  private readonly parts: Parts;
  private readonly turn: PluginTurn;
  private readonly hosts = new Map<string, PluginHost>();
  /** Whether modules are compiled, and guests started, on this thread: before anybody waits, where a second one would cost too much memory. */
  compilesHere = false;
  onChange: PluginChangeListener = () => {};
  private streamsOf: (account: string) => PluginStreams | null = () => null;
  private compiler: Promise<Compiler> | null = null;
  private tier: Promise<WorkerTier> | null = null;
  private openTier: WorkerTier | null = null;
  /** Set once the server starts: hosts of accounts that come later get a store then. */
  private newStore: ((account: string) => Promise<PluginStore>) | null = null;

  constructor(parts: Parts) {
    this.parts = parts;
    this.turn = new PluginTurn(parts.clock);
  }

  /** The host of an account, or null for the system's. */
  of(account: string): PluginHost | null {
    if (account === SYSTEM_ACCOUNT || account === this.parts.options().systemAccount) return null;
    return this.hosts.get(account) ?? this.make(account);
  }

  /** By the names of their accounts. */
  all(): [account: string, host: PluginHost][] {
    return [...this.hosts];
  }

  /** Lets plugins of all accounts go on where they were before a restart, when there is a store directory, and answers requests about them. */
  async open(accounts: Accounts): Promise<void> {
    const { storeDir } = this.parts.options();
    this.configure();
    if (storeDir !== '') await this.openStores(join(storeDir, 'plugins'));
    accounts.onAccount((account) => {
      const host = this.of(account.name);
      if (host !== null) new ApiResponder(account, new PluginApi(host), (...change) => this.onChange(...change));
    });
  }

  /** Streams are there: from now on plugins may use them. Resolves when tables hold what is in their buckets. */
  async useStreams(streamsOf: (account: string) => PluginStreams | null): Promise<void> {
    this.streamsOf = streamsOf;
    await Promise.all(this.all().map(([account, host]) => host.useStreams(streamsOf(account))));
  }

  /** Takes on what the configuration file says for all accounts: trusted keys and limits. */
  configure(): void {
    const { plugins } = this.parts.options();
    for (const [, host] of this.all()) host.configure(plugins);
  }

  async close(): Promise<void> {
    const last = this.parts.clock.after(LAST_WORDS_MS, () => void this.openTier?.close());
    await Promise.all(this.all().map(([, host]) => host.close()));
    last.cancel();
    await (await this.tier)?.close();
    await (await this.compiler)?.close();
  }

  /** Those that have something stored are made now, though their accounts may come later: none of their messages may pass by a plugin. */
  private async openStores(folder: string): Promise<void> {
    const { clock, options } = this.parts;
    const encryption = encryptionOf(options().streams);
    const [{ FolderPluginStore }, { nodeDisk }] = await Promise.all([
      import('../host/folder-store.js'),
      import('../storage/node-disk.js'),
    ]);
    this.newStore = (account) =>
      FolderPluginStore.open({ disk: nodeDisk, clock, folder: join(folder, folderName(account)), encryption });
    const stored = await nodeDisk.list(folder);
    for (const account of stored.map(accountName)) this.of(account);
    for (const [account, host] of this.all()) await host.open(await this.newStore(account));
  }

  private make(account: string): PluginHost {
    const { clock, logger, options } = this.parts;
    const host = new PluginHost({
      clock,
      payloadBytesMax: () => options().payloadBytesMax,
      ...{ turn: this.turn, compiler: () => this.loadCompiler(), tier: () => this.loadTier() },
    });
    host.events.onProblem = (text) => logger.warn(text);
    host.configure(options().plugins);
    this.hosts.set(account, host);
    void host.useStreams(this.streamsOf(account));
    const { newStore } = this;
    // Nothing is stored for an account that was not there at the start: its first change opens the store.
    if (newStore !== null) host.storeLater(() => newStore(account));
    return host;
  }

  /** Worker threads of the tier; none when no plugin ever needed one. */
  workers(): ThreadSnapshot[] {
    return this.openTier?.snapshot() ?? [];
  }

  /** In the edge profile memory counts for more. */
  private get workersMax(): number {
    const { plugins, edge } = this.parts.options();
    return plugins.workers ?? (edge ? 1 : DEFAULT_WORKERS);
  }

  private loadTier(): Promise<WorkerTier> {
    this.tier ??= import('../workers/tier.js').then((loaded) => {
      this.openTier = new loaded.WorkerTier(this.parts.clock, () => this.workersMax);
      return this.openTier;
    });
    return this.tier;
  }

  private loadCompiler(): Promise<Compiler> {
    this.compiler ??= import('../sandbox/compiler.js').then((loaded) => new loaded.Compiler(() => this.compilesHere));
    return this.compiler;
  }
}

/** A name that is a folder's everywhere, and leads nowhere else. */
function folderName(account: string): string {
  return account.replace(/[^A-Za-z0-9_$-]/g, (letter) => encodeURIComponent(letter).replaceAll('.', '%2E'));
}

function accountName(folder: string): string {
  return decodeURIComponent(folder);
}
