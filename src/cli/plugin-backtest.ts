import { readFileSync } from 'node:fs';
import { describe, Failure } from '../base/failure.js';
import { Backtest, BacktestSide } from '../host/backtest.js';
import type { BacktestAnswer } from '../host/backtests.js';
import { budgetOf } from '../host/budgets.js';
import { settleConfig } from '../host/config-schema.js';
import { readManifest } from '../host/manifest.js';
import { type Frame, frameOf } from '../sandbox/frame.js';
import { Instance } from '../sandbox/instance.js';
import { prepareModule } from '../sandbox/prepare.js';
import { TEST_TIME_MS } from '../sandbox/self-test.js';
import { callApi } from './api-client.js';
import { type ConnectionOptions, withOpenConnection } from './connection.js';
import { parseJsonArgument } from './payload.js';
import { parsePlugin } from './plugin-attach.js';
import { moduleFile } from './plugin-module.js';
import { checkTypedName } from './plugin-name.js';
import { printJson, printLine } from './print.js';
import { UsageFailure } from './usage-failure.js';

export interface BacktestOptions extends ConnectionOptions {
  against?: string;
  config?: string;
  stream?: string;
  last?: number;
  since?: string;
  filter?: string;
  attachment?: string;
  json?: boolean;
}

/** What is shown. */
type Found = Pick<BacktestAnswer, 'messages' | 'module' | 'against' | 'different' | 'differences' | 'complete'>;

const OF_STREAMS = ['attachment', 'last', 'since', 'filter'] as const;

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A message as `weir sub --json` prints it. */
interface Recorded {
  subject: string;
  reply?: string;
  headers?: Record<string, string[]>;
  data?: string;
  data_base64?: string;
}

/** A module that sees one message after the other, as it would at work. */
async function openSide(source: string, config: unknown): Promise<BacktestSide> {
  const prepared = prepareModule(readFileSync(moduleFile(source)));
  const manifest = await readManifest(prepared.manifest);
  const settled = JSON.stringify(settleConfig(source, manifest?.config ?? null, config));
  const budget = budgetOf({}, manifest?.budget);
  return new BacktestSide(() => Instance.create(prepared, budget, settled));
}

function readMessages(file: string): Frame[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line, i) => parseLine(line, i + 1));
  } catch (error) {
    const hint = "expected a line of JSON for each message, as printed by: weir sub 'my.>' --json";
    throw new Failure('messages', `cannot read the messages of "${file}": ${describe(error)}; ${hint}`, {
      cause: error,
    });
  }
}

function parseLine(line: string, number: number): Frame {
  let read: Recorded;
  try {
    read = JSON.parse(line);
  } catch (error) {
    throw new Error(`line ${number}: ${describe(error)}`);
  }
  if (typeof read?.subject !== 'string') throw new Error(`line ${number}: there is no "subject"`);
  const lines = Object.entries(read.headers ?? {}).flatMap(([name, values]) =>
    values.map((value) => `${name}: ${value}\r\n`),
  );
  const headers = lines.length === 0 ? '' : `NATS/1.0\r\n${lines.join('')}\r\n`;
  const payload =
    read.data_base64 === undefined ? Buffer.from(read.data ?? '') : Buffer.from(read.data_base64, 'base64');
  return frameOf(Buffer.from(read.subject), Buffer.from(read.reply ?? ''), Buffer.from(headers), payload);
}

/** Calls one module, or two, on messages: of a file on this machine, of a stream in the server. */
export async function backtest(source: string, file: string | undefined, options: BacktestOptions): Promise<void> {
  if ((file === undefined) === (options.stream === undefined)) {
    throw new UsageFailure('backtest', 'expected either a file of messages, or --stream with the name of a stream');
  }
  const misplaced = OF_STREAMS.find((name) => options[name] !== undefined);
  if (file !== undefined && misplaced !== undefined) {
    throw new UsageFailure('backtest', `--${misplaced} goes with --stream, not with a file of messages`);
  }
  const found = file === undefined ? await overStream(source, options) : await overFile(source, file, options);
  if (options.json) printJson(found);
  else show(found, file === undefined ? 'sequence' : 'line');
}

async function overFile(source: string, file: string, options: BacktestOptions): Promise<Found> {
  const config = options.config === undefined ? {} : parseJsonArgument('--config', options.config);
  const { against } = options;
  const module = await openSide(source, config);
  const run = new Backtest(module, against === undefined ? null : await openSide(against, config));
  for (const [i, frame] of readMessages(file).entries()) run.run(frame, { wallMs: TEST_TIME_MS }, i + 1);
  const { messages, different, differences } = run;
  const sides = { module: module.summary(), against: run.against?.summary() ?? null };
  return { messages, ...sides, different, differences, complete: true };
}

async function overStream(source: string, options: BacktestOptions): Promise<Found> {
  const { attachment, stream, last, filter, since, config, against } = options;
  const { plugin, version } = parsePlugin(source);
  checkTypedName('plugin', plugin);
  const request = {
    ...{ stream, last, filter, version },
    since: since === undefined ? undefined : sinceText(since),
    config: config === undefined ? undefined : parseJsonArgument('--config', config),
    against: against === undefined ? undefined : versionOf(against, plugin),
  };
  const operation = attachment === undefined ? `PLUGIN.BACKTEST.${plugin}` : `ATTACHMENT.BACKTEST.${attachment}`;
  const found = await withOpenConnection(options, (connection) =>
    callApi<BacktestAnswer>(connection, operation, JSON.stringify(request)),
  );
  if (found.plugin === plugin) return found;
  throw new UsageFailure('backtest', `attachment "${attachment}" runs plugin "${found.plugin}", not "${plugin}"`);
}

/** A number, or `name@number` of the same plugin. */
function versionOf(text: string, plugin: string): number {
  const version = text.startsWith(`${plugin}@`) ? text.slice(plugin.length + 1) : text;
  if (/^[1-9]\d*$/.test(version)) return Number(version);
  throw new UsageFailure('backtest', `invalid version "${text}" to compare with: expected a number such as 3`);
}

/** A moment, or how long ago it was. */
function sinceText(text: string): string {
  const [, count, unit] = /^(\d+)(s|m|h|d)$/.exec(text) ?? [];
  const ms = count === undefined ? Date.parse(text) : Date.now() - Number(count) * UNIT_MS[unit];
  const since = new Date(ms);
  // Neither is what is longer ago than dates go.
  if (!Number.isNaN(since.getTime())) return since.toISOString();
  throw new UsageFailure('backtest', `invalid --since "${text}": expected such as 15m, 2h, 1d or 2026-05-01T12:00:00Z`);
}

function show({ messages, module, against, different, differences, complete }: Found, placeName: string): void {
  const verdicts = Object.entries(module.verdicts).map(([verdict, count]) => `${count} ${verdict}`);
  printLine(`${messages} messages: ${verdicts.join(', ') || 'none'}; ${module.fuel_per_message} fuel for each`);
  if (!complete) printLine('there are more: this took as long as it may');
  if (against === null) return;
  printLine(`${different} come out otherwise`);
  for (const difference of differences) {
    printLine(`${placeName} ${difference.place} ${difference.subject}`);
    printLine(`  module  ${JSON.stringify(difference.module)}`);
    printLine(`  against ${JSON.stringify(difference.against)}`);
  }
}
