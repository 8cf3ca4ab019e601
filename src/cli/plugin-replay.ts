import { readFileSync, statSync } from 'node:fs';
import { describe, Failure } from '../base/failure.js';
import { budgetOf } from '../host/budgets.js';
import type { FailingFrame } from '../host/failure-log.js';
import { readManifest } from '../host/manifest.js';
import { frameOf } from '../sandbox/frame.js';
import { FAULT, Instance } from '../sandbox/instance.js';
import { type PreparedModule, prepareModule } from '../sandbox/prepare.js';
import { callApi } from './api-client.js';
import { type ConnectionOptions, withOpenConnection } from './connection.js';
import { moduleFile } from './plugin-module.js';
import { checkTypedName } from './plugin-name.js';
import { printJson, printLine } from './print.js';
import { exitCodes } from './usage-failure.js';

export interface ReplayOptions extends ConnectionOptions {
  module?: string;
  json?: boolean;
}

interface Capsule {
  attachment: string;
  frames: FailingFrame[];
}

interface Replayed {
  subject: string;
  before: string;
  /** What it comes to with this module; null when the frame was too large to be kept. */
  now: string | null;
  same: boolean;
}

const VERDICTS = ['pass', 'drop', 'replace', 'reject'];

export async function fetchCapsule(name: string, options: ConnectionOptions): Promise<Capsule> {
  checkTypedName('attachment', name);
  return withOpenConnection(options, (connection) => callApi<Capsule>(connection, `ATTACHMENT.CAPSULE.${name}`));
}

/** Prints the last failing frames of an attachment, for `replay`. */
export async function capsule(name: string, options: ConnectionOptions): Promise<void> {
  const { attachment, frames } = await fetchCapsule(name, options);
  printJson({ attachment, frames });
}

function readCapsule(file: string): Capsule {
  try {
    const read = JSON.parse(readFileSync(file, 'utf8'));
    if (!Array.isArray(read.frames)) throw new Error('there are no "frames" in it');
    return read;
  } catch (error) {
    const text = `cannot read the capsule "${file}": ${describe(error)} (make one with: weir plugin capsule my-attachment)`;
    throw new Failure('capsule', text, { cause: error });
  }
}

/** What no attachment could be called is a file; a folder may have its name. */
function isFile(source: string): boolean {
  return /[./\\]/.test(source) || statSync(source, { throwIfNoEntry: false })?.isFile() === true;
}

/** Calls the module with the frames that failed, as they were. */
export async function replay(source: string, options: ReplayOptions): Promise<void> {
  const { attachment, frames } = isFile(source) ? readCapsule(source) : await fetchCapsule(source, options);
  if (frames.length === 0) {
    if (options.json) printJson({ attachment, replayed: [] });
    else printLine(`${attachment} has no failing frames`);
    return;
  }
  const prepared = prepareModule(readFileSync(moduleFile(options.module ?? frames.at(-1)!.plugin)));
  const budget = budgetOf({}, (await readManifest(prepared.manifest))?.budget);
  const replayed = frames.map((frame) => replayFrame(prepared, budget, frame));
  if (options.json) printJson({ attachment, sha256: prepared.sha256, replayed });
  else show(replayed, frames, prepared);
  if (replayed.some(({ now }) => now?.includes(':'))) process.exitCode = exitCodes.failure;
}

function replayFrame(prepared: PreparedModule, budget: ReturnType<typeof budgetOf>, frame: FailingFrame): Replayed {
  const part = (text: string) => Buffer.from(text, 'base64');
  const subject = part(frame.subject).toString();
  const before = `${frame.cause}: ${frame.text}`;
  if (frame.payload === null) return { subject, before, now: null, same: false };
  const instance = Instance.create(prepared, budget, JSON.stringify(frame.config));
  if (!(instance instanceof Instance)) return outcome(`${instance.cause}: ${instance.text}`);
  if (frame.state !== null && prepared.hasState && !instance.restoreState(part(frame.state))) {
    return outcome(`${instance.fault.cause}: ${instance.fault.text}`);
  }
  const parts = [frame.subject, frame.reply, frame.headers, frame.payload].map(part) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const verdict = instance.call(frameOf(...parts), { wallMs: frame.timestamp_ms });
  return outcome(verdict === FAULT ? `${instance.fault.cause}: ${instance.fault.text}` : VERDICTS[verdict]!);

  function outcome(now: string): Replayed {
    return { subject, before, now, same: now === before };
  }
}

function show(replayed: readonly Replayed[], frames: readonly FailingFrame[], { sha256 }: PreparedModule): void {
  const other = frames.filter((frame) => frame.sha256 !== sha256).length;
  if (other > 0) printLine(`${other} of ${frames.length} frames failed in another version of the module`);
  for (const [i, { subject, before, now, same }] of replayed.entries()) {
    const { time, version } = frames[i]!;
    printLine(`${time} version ${version} ${subject}`);
    printLine(`  then ${before}`);
    printLine(`  now  ${now === null ? 'not kept: the frame was too large' : same ? 'the same' : now}`);
  }
}
