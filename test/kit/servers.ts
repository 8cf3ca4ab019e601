import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../src/base/logger.js';
import { loadOptions } from '../../src/config/load-options.js';
import type { Options } from '../../src/config/options.js';
import { Server } from '../../src/server/server.js';
import { type Address, addressOf } from './raw-client.js';
import { tempFolder } from './temp-folder.js';
import { until } from './wait.js';

/** A server under test: ours in this process, or another program. */
export interface RunningServer {
  readonly name: string;
  readonly url: string;
  readonly address: Address;
  /** Lame duck mode, as by its signal. */
  lameDuck(): void;
  /** Goes on with another configuration; rejects with what the server says when it refuses. */
  reload(config: string): Promise<void>;
  stop(): Promise<void>;
}

/** The options of a configuration file's text, which may name real files, for a server on a random port unless it names one. */
export async function optionsOf(config: string): Promise<Options> {
  const options = await loadOptions({
    arguments: { values: { config: 'test.conf' }, words: [] },
    env: {},
    readFile: (path) => (path === 'test.conf' ? config : readFileSync(path, 'utf8')),
  });
  return { ...options, host: '127.0.0.1', port: /^port:/m.test(config) ? options.port : 0 };
}

/** Starts Weir in this process with the text of a configuration file. */
export async function startWeir(config = '', logger?: Logger): Promise<RunningServer & { server: Server }> {
  const server = new Server({ options: await optionsOf(config), ...(logger && { logger }) });
  await server.start();
  const lameDuck = () => void server.lameDuck();
  const url = server.clientUrl;
  const reload = async (text: string) => void (await server.reload(await optionsOf(text)));
  return { name: 'weir', server, url, address: addressOf(url), lameDuck, reload, stop: () => server.stop() };
}

const RELOADED = /Reloaded server configuration|Failed to reload server configuration: .*\n/;

/** Starts a nats-server program on a random port with the text of a configuration file. */
export async function startProgram(path: string, config = ''): Promise<RunningServer> {
  const folder = tempFolder();
  const file = join(folder.path, 'server.conf');
  const location = `listen: "127.0.0.1:-1"\nports_file_dir: ${JSON.stringify(folder.path)}\n`;
  writeFileSync(file, location + config);
  const child = spawn(path, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-4000);
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ports = join(folder.path, `nats-server_${child.pid}.ports`);
  try {
    // The file is there before all of it is written.
    const ready = () => existsSync(ports) && readFileSync(ports, 'utf8').trimEnd().endsWith('}');
    await until(() => ready() || child.exitCode !== null, `${path} to start`, 10_000);
    const url: string = JSON.parse(readFileSync(ports, 'utf8')).nats[0];
    const lameDuck = () => void child.kill('SIGUSR2');
    const reload = async (text: string) => {
      writeFileSync(file, location + text);
      said = '';
      child.kill('SIGHUP');
      await until(() => RELOADED.test(said), `${path} to reload`, 10_000);
      const refused = /Failed to reload server configuration: (.*)/.exec(said);
      if (refused !== null) throw new Error(refused[1]);
    };
    const stop = async () => {
      child.kill('SIGKILL');
      await exited;
      folder.remove();
    };
    return { name: 'nats-server', url, address: addressOf(url), lameDuck, reload, stop };
  } catch (error) {
    child.kill('SIGKILL');
    const files = readdirSync(folder.path).join(' ');
    folder.remove();
    throw new Error(`${path} did not start (${(error as Error).message}; files: ${files}): ${said}`);
  }
}
