import type { Clock } from '../base/clock.js';
import { Failure } from '../base/failure.js';
import type { Attachment } from './attachment.js';
import { Backtest, BacktestSide, type JudgedDifferently, type SideSummary } from './backtest.js';
import type { AttachmentDeclaration } from './declarations.js';
import type { Deployments } from './deployments.js';
import type { PluginStreams, RecordedRange } from './plugin-streams.js';
import type { PluginRegistry } from './registry.js';
import type { Starter } from './starter.js';
import type { PluginTurn } from './turn.js';

/** Nanoseconds of a turn of the event loop that a backtest takes, give or take one message. */
const SLICE_NS = 500_000;
/** A backtest that takes longer ends with what it has: whoever asked waits 30 s. */
const TAKES_MS_MAX = 20_000;

/** Messages, when nobody says how many, nor since when. */
const LAST = 1_000;

/** What is run on what. */
export interface BacktestRequest {
  stream: string;
  last?: number;
  since?: string;
  filter?: string;
  version?: number;
  config?: unknown;
  /** Of a plugin: the version to compare with. */
  against?: number;
}

export interface BacktestAnswer {
  plugin: string;
  version: number;
  against_version: number | null;
  stream: string;
  messages: number;
  /** The first and the last message; null without any. */
  first_sequence: number | null;
  last_sequence: number | null;
  /** Whether all messages were seen that were asked for. */
  complete: boolean;
  module: SideSummary;
  against: SideSummary | null;
  different: number;
  differences: JudgedDifferently[];
}

interface Parts {
  clock: Clock;
  registry: PluginRegistry;
  deployments: Deployments;
  starter: Starter;
  turn: PluginTurn;
}

/** Runs versions over the messages of a stream before they go live: a little in each turn of the event loop, and nothing comes of what they say. */
export class Backtests {
  streams: PluginStreams | null = null;
  private readonly parts: Parts;
  private running = false;

  constructor(parts: Parts) {
    this.parts = parts;
  }

  /** A version of a plugin, alone or against another one. */
  ofPlugin(plugin: string, request: BacktestRequest): Promise<BacktestAnswer> {
    const definition = (version: number | undefined): AttachmentDeclaration => ({
      ...{ name: plugin, plugin, subject: '>' },
      ...(request.config !== undefined && { config: request.config }),
      ...(version !== undefined && { version }),
      force: true,
    });
    const { version, against } = request;
    return this.run(request, definition(version), against === undefined ? null : definition(against));
  }

  /** Another version or configuration of an attachment, against the present one. */
  ofAttachment(name: string, request: BacktestRequest): Promise<BacktestAnswer> {
    const { declaration, version } = this.parts.deployments.find(name);
    const { version: _, ...newest } = declaration;
    const candidate = {
      ...newest,
      ...(request.version !== undefined && { version: request.version }),
      ...(Object.hasOwn(request, 'config') && { config: request.config }),
    };
    const present = { ...declaration, version: version.number };
    return this.run({ filter: declaration.subject, ...request }, candidate, present);
  }

  private async run(
    request: BacktestRequest,
    candidate: AttachmentDeclaration,
    other: AttachmentDeclaration | null,
  ): Promise<BacktestAnswer> {
    if (this.running) throw new Failure('backtest-busy', 'another backtest is running: one runs at a time');
    this.running = true;
    const started: Attachment[] = [];
    const start = async (declaration: AttachmentDeclaration): Promise<Attachment> => {
      const version = this.parts.registry.version(declaration.plugin, declaration.version);
      const attachment = await this.parts.starter.start({ ...declaration, tier: 'loop', metering: 'on' }, version);
      started.push(attachment);
      return attachment;
    };
    try {
      const module = await start(candidate);
      const against = other === null ? null : await start(other);
      return await this.runOver(request, module, against);
    } finally {
      for (const attachment of started) attachment.retire();
      this.running = false;
    }
  }

  private async runOver(
    request: BacktestRequest,
    module: Attachment,
    against: Attachment | null,
  ): Promise<BacktestAnswer> {
    const side = (attachment: Attachment) => new BacktestSide(() => attachment.another());
    const backtest = new Backtest(side(module), against === null ? null : side(against));
    const seen = await this.feed(backtest, request);
    return {
      plugin: module.declaration.plugin,
      version: module.version.number,
      against_version: against?.version.number ?? null,
      stream: request.stream,
      messages: backtest.messages,
      ...seen,
      module: backtest.module.summary(),
      against: backtest.against?.summary() ?? null,
      different: backtest.different,
      differences: backtest.differences,
    };
  }

  /** Hands it the messages, with the time at which each was stored. */
  private async feed(
    backtest: Backtest,
    { stream, last, since, filter }: BacktestRequest,
  ): Promise<Pick<BacktestAnswer, 'first_sequence' | 'last_sequence' | 'complete'>> {
    const { clock, turn } = this.parts;
    const sinceMs = since === undefined ? undefined : Date.parse(since);
    const range: RecordedRange = { last: last ?? (since === undefined ? LAST : undefined), sinceMs, filter };
    const messages = await this.streams?.recorded(stream, range);
    if (messages == null) throw new Failure('stream-not-found', `there is no stream ${JSON.stringify(stream)}`);
    const endsMs = clock.nowMs() + TAKES_MS_MAX;
    const seen = { first_sequence: null as number | null, last_sequence: null as number | null, complete: true };
    let sliceEndsNs = clock.monotonicNs() + SLICE_NS;
    for (let found = messages.next(); found !== null; found = messages.next()) {
      seen.first_sequence ??= found.sequence;
      seen.last_sequence = found.sequence;
      backtest.run(found.message, { wallMs: found.timeMs }, found.sequence);
      if (clock.monotonicNs() < sliceEndsNs && !turn.spent) continue;
      if (clock.nowMs() >= endsMs) return { ...seen, complete: false };
      await nextTurn();
      await messages.warm();
      sliceEndsNs = clock.monotonicNs() + SLICE_NS;
    }
    return seen;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
