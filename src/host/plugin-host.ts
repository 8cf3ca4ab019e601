import type { Clock } from '../base/clock.js';
import { Failure } from '../base/failure.js';
import type { Compiler } from '../sandbox/compiler.js';
import type { WorkerTier } from '../workers/tier.js';
import type { Attachment } from './attachment.js';
import { AttachmentSet } from './attachment-set.js';
import { Backtests } from './backtests.js';
import { Candidates } from './candidates.js';
import { Chain } from './chain.js';
import type { AttachmentDeclaration, PluginDeclarations } from './declarations.js';
import { Deployments } from './deployments.js';
import { Effects } from './effects.js';
import { EmitQueue } from './emit-queue.js';
import { PluginEvents } from './events.js';
import { Ledger } from './ledger.js';
import { DEFAULT_PLUGIN_LIMITS, type PluginLimits } from './limits.js';
import { LazyPluginStore, MemoryPluginStore, type PluginStore } from './plugin-store.js';
import type { PluginStreams } from './plugin-streams.js';
import { PluginRegistry, type PluginVersion } from './registry.js';
import { Starter } from './starter.js';
import { StateKeeper } from './state-keeper.js';
import { Ticker } from './ticker.js';
import { PluginTurn } from './turn.js';
import { Uploads } from './uploads.js';

export interface PluginHostSettings {
  clock: Clock;
  payloadBytesMax: () => number;
  limits?: Partial<PluginLimits>;
  /** What several hosts share; each has its own without. */
  turn?: PluginTurn;
  compiler?: () => Promise<Compiler>;
  tier?: () => Promise<WorkerTier>;
}

/** Worker threads that plugins may have together. They wait as a rule: more than there are processors keep plugins apart from one another. */
export const DEFAULT_WORKERS = 4;
/** Plugins in worker threads have so long to deal with what is before them when the server stops. */
export const LAST_WORDS_MS = 2_000;

/** Plugins and attachments of one account: control on one side, chains and emits on the other. */
export class PluginHost {
  readonly registry: PluginRegistry;
  readonly attachments: AttachmentSet;
  readonly deployments: Deployments;
  readonly candidates: Candidates;
  readonly backtests: Backtests;
  readonly uploads: Uploads;
  readonly emits = new EmitQueue();
  readonly events: PluginEvents;
  readonly turn: PluginTurn;
  limits: PluginLimits;
  private readonly clock: Clock;
  private readonly ledger = new Ledger(new MemoryPluginStore());
  private readonly starter: Starter;
  private readonly ticker: Ticker;
  private readonly keeper: StateKeeper;
  private compiler: Promise<Compiler> | null = null;
  private tier: Promise<WorkerTier> | null = null;
  private closing: Promise<void> | null = null;

  constructor({ clock, payloadBytesMax, limits, turn: shared, compiler: lent, tier }: PluginHostSettings) {
    this.clock = clock;
    this.limits = { ...DEFAULT_PLUGIN_LIMITS, ...limits };
    this.turn = shared ?? new PluginTurn(clock);
    this.events = new PluginEvents(this.emits, clock);
    const effects = new Effects(this.emits, payloadBytesMax, clock);
    this.attachments = new AttachmentSet((matching) => new Chain(matching, effects, this.turn));
    const { attachments, ledger, events, turn } = this;
    const compiler = lent ?? (() => this.loadCompiler());
    this.registry = new PluginRegistry(compiler, ledger, () => this.limits);
    this.ticker = new Ticker({ clock, attachments, effects, turn });
    this.keeper = new StateKeeper({ clock, attachments, ledger, events });
    this.uploads = new Uploads(clock);
    this.starter = new Starter({
      ...{ clock, registry: this.registry, events, turn, compiler },
      tier: tier ?? (() => this.loadTier()),
    });
    this.deployments = new Deployments({
      ...{ clock, ledger, registry: this.registry, attachments, events, starter: this.starter },
      limits: () => this.limits,
      onRetire: (attachment) => this.ticker.drain(attachment),
    });
    this.candidates = new Candidates({ deployments: this.deployments, attachments, events });
    const { registry, deployments, starter } = this;
    this.backtests = new Backtests({ clock, turn, registry, deployments, starter });
  }

  /** Takes on what the configuration file says about plugins besides which there are. */
  configure({ trustedKeys = [], limits = {} }: Pick<PluginDeclarations, 'trustedKeys' | 'limits'>): void {
    this.registry.trustedKeys = trustedKeys;
    this.limits = { ...DEFAULT_PLUGIN_LIMITS, ...limits };
  }

  /**
   * Goes on with what a store has: versions, attachments, states. Rejects with a `Failure` when it cannot be read. An attachment that cannot
   * run any more is there all the same, and its failure policy holds.
   */
  async open(store: PluginStore): Promise<void> {
    await this.ledger.open(store);
    this.registry.restore(new Set(this.ledger.attachments.map(({ declaration }) => declaration.plugin)));
    await this.deployments.restore((text) => this.events.problem(text));
    await this.ledger.removeStates();
    await this.ledger.tidy();
  }

  /** From now on plugins may use the account's streams. Resolves when tables of the present attachments hold what is in their buckets. */
  useStreams(streams: PluginStreams | null): Promise<void> {
    this.backtests.streams = streams;
    return this.starter.feed(streams, this.attachments.all());
  }

  /** Opens a store, which is empty, when there is something to store. */
  storeLater(open: () => Promise<PluginStore>): void {
    this.ledger.store = new LazyPluginStore(open);
  }

  install(name: string, wasm: Uint8Array, declared = false): Promise<PluginVersion> {
    const used = () => this.deployments.used();
    return this.registry.install(name, wasm, { nowMs: this.clock.nowMs(), declared, used });
  }

  /** Starts and puts to work at once, and stores nothing. The event loop waits while the plugin starts: for those who know the plugin. */
  attach(declaration: AttachmentDeclaration, replace = false): Attachment {
    return this.deployments.attach(declaration, replace);
  }

  /** Removes a plugin that no attachment uses. */
  remove(name: string): Promise<void> {
    return this.ledger.exclusive(async () => {
      const user = this.attachments.all().find((attachment) => attachment.declaration.plugin === name);
      if (user !== undefined)
        throw new Failure(
          'plugin-in-use',
          `plugin ${JSON.stringify(name)} is used by attachment ${JSON.stringify(user.name)}`,
        );
      await this.registry.delete(name);
    });
  }

  /** Lets plugins say their last words and saves their states. What they emit is published before this answers for the first time. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    this.ticker.close();
    this.uploads.close();
    for (const attachment of this.attachments.all()) attachment.feed?.close();
    const last = this.clock.after(LAST_WORDS_MS, () => void this.closeTier());
    const leaving = this.attachments.all().filter(({ keepsState }) => !keepsState);
    await Promise.all(leaving.map((attachment) => this.ticker.drain(attachment)));
    await this.keeper.close();
    last.cancel();
    await this.closeTier();
    // What is being stored is stored to its end.
    await this.ledger.exclusive(() => this.ledger.store.close());
    await (await this.compiler)?.close();
  }

  private loadTier(): Promise<WorkerTier> {
    this.tier ??= import('../workers/tier.js').then(
      (loaded) => new loaded.WorkerTier(this.clock, () => DEFAULT_WORKERS),
    );
    return this.tier;
  }

  /** Only its own: there is none when it was lent one. */
  private async closeTier(): Promise<void> {
    await (await this.tier)?.close();
  }

  private loadCompiler(): Promise<Compiler> {
    this.compiler ??= import('../sandbox/compiler.js').then((loaded) => new loaded.Compiler());
    return this.compiler;
  }
}
