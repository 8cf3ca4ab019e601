import { readFileSync } from 'node:fs';
import { describe, Failure } from '../base/failure.js';
import { budgetOf } from '../host/budgets.js';
import { settleConfig } from '../host/config-schema.js';
import { readManifest } from '../host/manifest.js';
import type { Budget } from '../sandbox/budget.js';
import { Instance } from '../sandbox/instance.js';
import { type PreparedModule, prepareModule } from '../sandbox/prepare.js';
import { type Outcome, outcomeOn, type SelfTest } from '../sandbox/self-test.js';
import { parseJsonArgument } from './payload.js';
import { moduleFile } from './plugin-module.js';
import { printJson, printLine } from './print.js';

export interface BacktestOptions {
  against?: string;
  config?: string;
  json?: boolean;
}

/** A message as `weir sub --json` prints it. */
interface Recorded {
  subject: string;
  reply?: string;
  headers?: Record<string, string[]>;
  data?: string;
  data_base64?: string;
}

interface Difference {
  line: number;
  subject: string;
  module: Outcome;
  against: Outcome;
}

/** Differences that are shown. */
const SHOWN_MAX = 20;

/** A module that sees one message after the other, as it would at work. */
class Runner {
  readonly counts: Record<string, number> = {};
  fuel = 0;
  private readonly prepared: PreparedModule;
  private readonly budget: Budget;
  private readonly config: string;
  private instance: Instance | null = null;

  private constructor(prepared: PreparedModule, budget: Budget, config: string) {
    this.prepared = prepared;
    this.budget = budget;
    this.config = config;
  }

  static async open(source: string, config: unknown): Promise<Runner> {
    const prepared = prepareModule(readFileSync(moduleFile(source)));
    const manifest = await readManifest(prepared.manifest);
    const settled = settleConfig(source, manifest?.config ?? null, config);
    return new Runner(prepared, budgetOf({}, manifest?.budget), JSON.stringify(settled));
  }

  run(message: SelfTest['message']): Outcome {
    this.instance ??= this.create();
    const outcome = outcomeOn(this.instance, message);
    this.fuel += this.instance.fuelUsed;
    this.counts[outcome.verdict] = (this.counts[outcome.verdict] ?? 0) + 1;
    if (outcome.verdict === 'error' && this.instance.poisoned) this.instance = null;
    return outcome;
  }

  private create(): Instance {
    const made = Instance.create(this.prepared, this.budget, this.config);
    if (made instanceof Instance) return made;
    throw new Failure('module', `the module does not start: ${made.text}`);
  }
}

function readMessages(file: string): SelfTest['message'][] {
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

function parseLine(line: string, number: number): SelfTest['message'] {
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
  return {
    subject: read.subject,
    ...(read.reply !== undefined && { reply: read.reply }),
    ...(lines.length > 0 && { headers: `NATS/1.0\r\n${lines.join('')}\r\n` }),
    payload: read.data_base64 === undefined ? (read.data ?? '') : `base64:${read.data_base64}`,
  };
}

/** Calls one module, or two, on recorded messages. */
export async function backtest(source: string, file: string, options: BacktestOptions): Promise<void> {
  const config = options.config === undefined ? {} : parseJsonArgument('--config', options.config);
  const runner = await Runner.open(source, config);
  const other = options.against === undefined ? null : await Runner.open(options.against, config);
  const messages = readMessages(file);
  const differences: Difference[] = [];
  for (const [i, message] of messages.entries()) {
    const module = runner.run(message);
    const against = other?.run(message) ?? module;
    if (JSON.stringify(module) !== JSON.stringify(against)) {
      differences.push({ line: i + 1, subject: message.subject, module, against });
    }
  }
  const fuel = messages.length === 0 ? 0 : Math.round(runner.fuel / messages.length);
  const result = { messages: messages.length, verdicts: runner.counts, fuel_per_message: fuel };
  if (options.json)
    printJson({ ...result, different: differences.length, differences: differences.slice(0, SHOWN_MAX) });
  else show(result, other === null ? null : differences);
}

function show(
  result: { messages: number; verdicts: Record<string, number>; fuel_per_message: number },
  differences: readonly Difference[] | null,
): void {
  const verdicts = Object.entries(result.verdicts).map(([verdict, count]) => `${count} ${verdict}`);
  printLine(`${result.messages} messages: ${verdicts.join(', ') || 'none'}; ${result.fuel_per_message} fuel for each`);
  if (differences === null) return;
  printLine(`${differences.length} come out otherwise`);
  for (const { line, subject, module, against } of differences.slice(0, SHOWN_MAX)) {
    printLine(`line ${line} ${subject}`);
    printLine(`  module  ${JSON.stringify(module)}`);
    printLine(`  against ${JSON.stringify(against)}`);
  }
}
