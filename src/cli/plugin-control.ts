import type { TrialSnapshot } from '../host/candidates.js';
import type { AttachmentSnapshot } from '../host/snapshot.js';
import { callApi } from './api-client.js';
import { type ConnectionOptions, withOpenConnection } from './connection.js';
import { parseJsonArgument } from './payload.js';
import { checkTypedName } from './plugin-name.js';
import { printJson, printLine } from './print.js';
import { UsageFailure } from './usage-failure.js';

type Options = ConnectionOptions & { json?: boolean };

export interface SwapOptions extends Options {
  to?: number;
  config?: string;
}

export interface BudgetOptions extends Options {
  fuel?: number;
  memory?: number;
  output?: number;
  emits?: number;
  messages?: number;
  bytes?: number;
  cpu?: number;
}

interface AttachmentAnswer {
  attachment: AttachmentSnapshot;
}

/** One request about an attachment. */
function ask<T>(operation: string, name: string, options: ConnectionOptions, body: object = {}): Promise<T> {
  checkTypedName('attachment', name);
  return withOpenConnection(options, (connection) =>
    callApi<T>(connection, `ATTACHMENT.${operation}.${name}`, JSON.stringify(body)),
  );
}

function runs({ name, plugin, version }: AttachmentSnapshot): string {
  return `${name} runs ${plugin} version ${version}`;
}

/** What becomes otherwise; what is not named stays. */
function changeOf({ to: version, config }: SwapOptions): object {
  return {
    ...(version !== undefined && { version }),
    ...(config !== undefined && { config: parseJsonArgument('--config', config) }),
  };
}

export async function swap(name: string, options: SwapOptions): Promise<void> {
  const { attachment } = await ask<AttachmentAnswer>('SWAP', name, options, changeOf(options));
  if (options.json) printJson(attachment);
  else printLine(runs(attachment));
}

export async function rollBack(name: string, options: Options): Promise<void> {
  const { attachment } = await ask<AttachmentAnswer>('ROLLBACK', name, options);
  if (options.json) printJson(attachment);
  else printLine(runs(attachment));
}

export async function setBudget(name: string, options: BudgetOptions): Promise<void> {
  const { fuel, memory, output, emits, messages, bytes, cpu } = options;
  const asked = {
    ...{ fuel_per_message: fuel, memory_bytes: memory, output_bytes: output, emits_per_message: emits },
    ...{ messages_per_second: messages, bytes_per_second: bytes, cpu_share: cpu },
  };
  const budget = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  if (Object.keys(budget).length === 0) {
    throw new UsageFailure(
      'budget',
      'there is no budget to change: expected at least one option such as --fuel 500000',
    );
  }
  const { attachment } = await ask<AttachmentAnswer>('BUDGET', name, options, budget);
  if (options.json) printJson(attachment);
  else printLine(`${name} has ${JSON.stringify(budget)}`);
}

export async function redeliver(name: string, options: Options & { stream?: string }): Promise<void> {
  const { stream } = options;
  const answer = await ask<{ redelivered: number; left: number }>('REDELIVER', name, options, { stream });
  if (options.json) printJson(answer);
  else printLine(`delivered ${answer.redelivered} dead letters of ${name} again, ${answer.left} are left`);
}

export interface TrialOptions extends SwapOptions {
  share?: number;
  stop?: boolean;
}

/** Tries a version out beside the one at work, or ends that. */
export async function tryOut(kind: 'canary' | 'shadow', name: string, options: TrialOptions): Promise<void> {
  if (options.stop) {
    const { trial } = await ask<{ trial: TrialSnapshot }>('STOP', name, options);
    if (options.json) printJson(trial);
    else printLine(`ended: ${trialText(trial)}`);
    return;
  }
  const { share } = options;
  const body = { ...changeOf(options), ...(share !== undefined && { share }) };
  const { attachment } = await ask<AttachmentAnswer>(kind.toUpperCase(), name, options, body);
  if (options.json) printJson(attachment);
  else printLine(`${runs(attachment)}; ${trialText(attachment.trial!)}`);
}

function trialText({ kind, version, share, calls, faults, same, different, samples }: TrialSnapshot): string {
  const head = `${kind} of version ${version}: ${calls} calls, ${faults} faults`;
  if (kind === 'canary') return `${head}, ${share! * 100} % of the subjects`;
  const lines = samples.map(
    ({ subject, payload, active, candidate }) =>
      `\n${subject} ${payload}\n  active    ${active}\n  candidate ${candidate}`,
  );
  return `${head}, ${same} judged the same, ${different} differently${lines.join('')}`;
}
