// The server's command line, shared by `nats-server` and `weir serve`. What is imported here delays the first accepted
// connection: everything that a plain start does not need is loaded where it is needed.
import { readFileSync, statSync } from 'node:fs';
import { describe } from '../base/failure.js';
import { VERSION, WEIR_VERSION } from '../base/version.js';
import { type ArgumentError, type Arguments, parseArguments } from '../config/arguments.js';
import { loadOptions } from '../config/load-options.js';
import type { Options } from '../config/options.js';
import type { Executable } from './executable.js';

/** A configuration of this length has a few hundred accounts or a thousand users. */
const LONG_BYTES = 128 * 1024;

function fail(executable: Executable, text: string): void {
  process.stderr.write(`${executable}: ${text}\n`);
  process.exitCode = 1;
}

function printVersion(executable: Executable): void {
  process.stdout.write(executable === 'weir' ? `weir ${WEIR_VERSION}\n` : `nats-server: v${VERSION}\n`);
}

async function printUsage(executable: Executable): Promise<void> {
  const { OWN_USAGE, USAGE } = await import('../config/usage.js');
  const usage = executable === 'weir' ? OWN_USAGE : USAGE;
  process.stdout.write(`${usage}\n`);
}

/** What is wrong with the flags. As nats-server, the command of that name shows its usage and exits with 0. */
async function refuseFlags(executable: Executable, { error, unsupported }: ArgumentError): Promise<void> {
  if (executable === 'weir' || unsupported) {
    fail(executable, `${error}\nSee: ${executable === 'weir' ? 'weir serve' : executable} --help`);
    return;
  }
  process.stderr.write(`${error}\n`);
  await printUsage(executable);
}

/** Does what the command line asks for instead of starting a server; false when it asks for a server. */
async function answered(executable: Executable, { values, words }: Arguments): Promise<boolean> {
  const [word] = words;
  const command = word?.toLowerCase();
  if (values.version) printVersion(executable);
  else if (values.help) await printUsage(executable);
  else if (command === 'version') printVersion(executable);
  else if (command === 'help') await printUsage(executable);
  else if (command !== undefined) fail(executable, `unrecognized command: ${JSON.stringify(word)}`);
  else if (values.signal !== undefined) {
    const { sendSignal } = await import('../server/signal-sender.js');
    sendSignal(values.signal, executable);
  } else return false;
  return true;
}

/** `-t`: says whether the configuration file is good. What nats-server complains about counts as bad, as there. */
function checkConfiguration(executable: Executable, { configFile, configDigest, warnings }: Options): void {
  if (configFile === '') fail(executable, 'must specify [-c, --config] option to check configuration file syntax');
  else if (warnings.length > 0) fail(executable, `${warnings.join('\n')}\n`);
  else process.stderr.write(`${executable}: configuration file ${configFile} is valid (${configDigest})\n`);
}

/** Whether reading the file would have V8 take space for young objects that nobody needs later (bench: accounts). */
function isLong(configFile: string | undefined): boolean {
  if (configFile === undefined) return false;
  return (statSync(configFile, { throwIfNoEntry: false })?.size ?? 0) > LONG_BYTES;
}

async function run(executable: Executable, args: readonly string[]): Promise<void> {
  const parsed = parseArguments(args, executable === 'weir');
  if ('error' in parsed) {
    await refuseFlags(executable, parsed);
    return;
  }
  if (await answered(executable, parsed)) return;
  if (isLong(parsed.values.config)) (await import('./engine.js')).keepYoungSpaceSmall();
  const load = () =>
    loadOptions({ arguments: parsed, env: process.env, readFile: (path) => readFileSync(path, 'utf8') });
  const options = await load();
  if (parsed.values.test) {
    checkConfiguration(executable, options);
    return;
  }
  for (const warning of options.warnings) process.stderr.write(`${warning}\n`);
  // The configuration may ask for it as well as the command line did; twice is as good as once.
  if (options.edge) (await import('./engine.js')).saveMemory();
  const { ServerProcess } = await import('./server-process.js');
  await new ServerProcess(executable, options, load).start();
}

/** Runs the command; resolves when the server is ready, or with `process.exitCode` set when it is not to run. */
export async function runServer(executable: Executable, args: readonly string[]): Promise<void> {
  try {
    await run(executable, args);
  } catch (error) {
    fail(executable, describe(error));
  }
}
