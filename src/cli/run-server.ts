// The server's command line, shared by `nats-server` and `weir serve`. What is imported here delays the first accepted
// connection: everything that a plain start does not need is loaded where it is needed.
import { readFileSync } from 'node:fs';
import { describe } from '../base/failure.js';
import { VERSION, WEIR_VERSION } from '../base/version.js';
import { type ArgumentValues, parseArguments, USAGE } from '../config/arguments.js';
import { loadOptions } from '../config/load-options.js';
import type { Options } from '../config/options.js';

/** The names under which the server runs: in messages, as process name and in the name of the ports file. */
export type Executable = 'nats-server' | 'weir';

/** The words that nats-server takes in place of a flag. */
const words: Record<string, string> = { help: '--help', version: '--version' };

function fail(executable: Executable, text: string): void {
  process.stderr.write(`${executable}: ${text}\n`);
  process.exitCode = 1;
}

function versionText(executable: Executable): string {
  return executable === 'weir' ? `weir ${WEIR_VERSION}` : `nats-server: v${VERSION}`;
}

function usageText(executable: Executable): string {
  return executable === 'weir' ? USAGE.replace('nats-server [options]', 'weir serve [options]') : USAGE;
}

function checkConfiguration(executable: Executable, { configFile, configDigest }: Options): void {
  if (configFile !== '') {
    process.stderr.write(`${executable}: configuration file ${configFile} is valid (${configDigest})\n`);
    return;
  }
  fail(executable, 'must specify [-c, --config] option to check configuration file syntax');
}

/** Flags that answer a question instead of starting a server; false when there are none. */
async function answered(executable: Executable, values: ArgumentValues): Promise<boolean> {
  if (values.version) process.stdout.write(`${versionText(executable)}\n`);
  else if (values.help) process.stdout.write(`${usageText(executable)}\n`);
  else if (values.signal !== undefined) {
    const { sendSignal } = await import('../server/signal-sender.js');
    sendSignal(values.signal, executable);
  } else return false;
  return true;
}

async function run(executable: Executable, args: readonly string[]): Promise<void> {
  const parsed = parseArguments(args.map((arg) => words[arg] ?? arg));
  if ('error' in parsed) {
    // nats-server prints its usage and exits with 0 here; a supervisor is better told that nothing runs.
    fail(executable, `${parsed.error}\nSee: ${executable === 'weir' ? 'weir serve' : executable} --help`);
    return;
  }
  if (await answered(executable, parsed.values)) return;
  const load = () =>
    loadOptions({ arguments: parsed, env: process.env, readFile: (path) => readFileSync(path, 'utf8') });
  const options = load();
  if (parsed.values.test) {
    checkConfiguration(executable, options);
    return;
  }
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
