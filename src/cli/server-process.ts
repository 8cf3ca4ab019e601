import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { describe, Failure } from '../base/failure.js';
import type { Options } from '../config/options.js';
import { type Log, openLog } from '../server/log-open.js';
import { Server } from '../server/server.js';
import { SignalHandler, type SignalTarget } from '../server/signals.js';
import type { Executable } from './run-server.js';

/** Gives the process the executable's name, so that `--signal`, pgrep and killall find it; `ps` keeps the whole command line. */
function nameProcess(executable: Executable): void {
  try {
    writeFileSync('/proc/self/comm', executable);
  } catch {
    process.title = executable; // not Linux
  }
}

/** What a reload may change without a restart, beside the levels of the log. */
const reloadable: readonly (keyof Options)[] = ['plugins', 'configFile', 'configDigest'];

/** A server with what surrounds it in a process of its own: log, pid and ports files, signals. */
export class ServerProcess implements SignalTarget {
  private readonly executable: Executable;
  private options: Options;
  private readonly load: () => Options;
  private server!: Server;
  private log!: Log;
  private readonly cleanups: (() => void)[] = [];

  /** `load` reads the configuration again, for a reload. */
  constructor(executable: Executable, options: Options, load: () => Options) {
    this.executable = executable;
    this.options = options;
    this.load = load;
  }

  /** Resolves when the server is ready; a server that cannot start says why and ends the process with 1. */
  async start(): Promise<void> {
    nameProcess(this.executable);
    this.log = await openLog(this.options.log);
    const { logger } = this.log;
    process.on('uncaughtException', (error) => this.die(error.stack ?? describe(error)));
    this.server = new Server({ options: this.options, logger });
    new SignalHandler(this, logger, (code) => process.exit(code)).listen();
    try {
      await this.writePid();
      await this.server.start();
      await this.writePorts();
    } catch (error) {
      this.die(describe(error));
    }
  }

  async stop(): Promise<void> {
    await this.server.stop();
    this.cleanUp();
  }

  async lameDuck(): Promise<void> {
    await this.server.lameDuck();
    this.cleanUp();
  }

  reopenLog(): void {
    const reopened = this.log.sink.reopen();
    this.log.logger.info(reopened ? 'File log re-opened' : 'File log re-open ignored, not a file logger');
  }

  /** Reads the configuration file again. Applies all of it or nothing. */
  async reload(): Promise<void> {
    if (this.options.configFile === '')
      throw new Failure('reload', 'can only reload config when a file is provided using -c or --config');
    const next = this.load();
    const { debug, trace } = next.log;
    const before = { ...this.options, log: { ...this.options.log, debug, trace } };
    const fixed = (Object.keys(next) as (keyof Options)[]).filter(
      (key) => !reloadable.includes(key) && !isDeepStrictEqual(next[key], before[key]),
    );
    if (fixed.length > 0) {
      const changes = fixed.map(
        (key) => `${key}: old=${JSON.stringify(before[key])}, new=${JSON.stringify(next[key])}`,
      );
      throw new Failure('reload', `config reload not supported for ${changes.join('; ')}`);
    }
    const { logger } = this.log;
    logger.debugEnabled = debug;
    logger.traceEnabled = trace;
    const problems = await this.server.host.reconcile(next.plugins, (path) => readFile(path));
    for (const problem of problems) logger.error(`Plugins: ${problem}`);
    this.options = next;
    logger.info(`Reloaded server configuration (${next.configDigest})`);
  }

  private async writePid(): Promise<void> {
    const { pidFile } = this.options;
    if (pidFile === '') return;
    const { writePidFile, removePidFile } = await import('../server/pid-file.js');
    writePidFile(pidFile);
    this.cleanups.push(() => removePidFile(pidFile));
  }

  private async writePorts(): Promise<void> {
    const { portsFileDir } = this.options;
    if (portsFileDir === '') return;
    const { portsFilePath, removePortsFile, writePortsFile } = await import('../server/ports-file.js');
    const path = portsFilePath(portsFileDir, this.executable);
    writePortsFile(path, this.server.urls);
    this.cleanups.push(() => removePortsFile(path));
  }

  private cleanUp(): void {
    for (const cleanUp of this.cleanups.splice(0)) cleanUp();
    this.log.sink.close();
  }

  /** Nothing can be trusted to work any more but the log. */
  private die(text: string): void {
    this.log.logger.fatal(text);
    this.cleanUp();
    process.exit(1);
  }
}
