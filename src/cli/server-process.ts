import { writeFileSync } from 'node:fs';
import { describe, Failure } from '../base/failure.js';
import type { Options } from '../config/options.js';
import { keepFewSlabs } from '../net/outbound.js';
import { openLog } from '../server/log-open.js';
import { LogSwitch } from '../server/log-switch.js';
import { Server } from '../server/server.js';
import { SignalHandler, type SignalTarget } from '../server/signals.js';
import type { Executable } from './executable.js';

/** Ports files have one name, whatever the command: who spawns a nats-server looks for it. */
const PORTS_FILE_NAME = 'nats-server';

/** Gives the process the executable's name, so that `--signal`, pgrep and killall find it; `ps` keeps the whole command line. */
function nameProcess(executable: Executable): void {
  try {
    writeFileSync('/proc/self/comm', executable);
  } catch {
    process.title = executable; // not Linux
  }
}

/** A server with what surrounds it in a process of its own: log, pid and ports files, signals. */
export class ServerProcess implements SignalTarget {
  private readonly executable: Executable;
  private options: Options;
  private readonly load: () => Promise<Options>;
  private server!: Server;
  private log!: LogSwitch;
  private reloading: Promise<void> = Promise.resolve();
  private removePid: (() => void) | null = null;
  private removePorts: (() => void) | null = null;

  /** `load` reads the configuration again, for a reload. */
  constructor(executable: Executable, options: Options, load: () => Promise<Options>) {
    this.executable = executable;
    this.options = options;
    this.load = load;
  }

  /** Resolves when the server is ready; a server that cannot start says why and ends the process with 1. */
  async start(): Promise<void> {
    nameProcess(this.executable);
    this.log = new LogSwitch(await openLog(this.options.log));
    process.on('uncaughtException', (error) => this.die(error.stack ?? describe(error)));
    if (this.options.edge) keepFewSlabs();
    // The server changes its own copy on a reload.
    this.server = new Server({ options: { ...this.options }, logger: this.log });
    this.server.onReloadRequest = (by) => this.reload(by);
    new SignalHandler(this, this.log, (code) => process.exit(code)).listen();
    const started = this.startServer();
    // A reload that is asked for now comes after the start.
    this.reloading = started;
    await started;
    const { inlineMore, keepYoungSpaceSmall } = await import('./engine.js');
    keepYoungSpaceSmall();
    if (!this.options.edge) inlineMore();
  }

  private async startServer(): Promise<void> {
    try {
      await this.writePid();
      await this.server.start();
    } catch (error) {
      this.die(describe(error));
    }
    await this.writePorts();
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
    const reopened = this.log.reopen();
    this.log.info(reopened ? 'File log re-opened' : 'File log re-open ignored, not a file logger');
  }

  /** Reads the configuration file again. Applies all of it or nothing, one reload after the other. `by`: who asked; null is a signal. */
  reload(by: object | null = null): Promise<void> {
    const reloaded = this.reloading.then(() => this.reloadOnce());
    const { audit } = this.server;
    reloaded.then(
      () => audit.reload(by, null),
      (error) => audit.reload(by, describe(error)),
    );
    this.reloading = reloaded.catch(() => {});
    return reloaded;
  }

  private async reloadOnce(): Promise<void> {
    const { options: before, log } = this;
    if (before.configFile === '')
      throw new Failure('reload', 'can only reload config when a file is provided using -c or --config');
    const next = await this.load();
    const prepared = await log.prepare(before.log, next.log);
    try {
      await this.server.reload(next, prepared.use);
    } catch (error) {
      prepared.discard();
      throw error;
    }
    this.options = next;
    if (next.pidFile !== before.pidFile) await this.writePid();
    if (next.portsFileDir !== before.portsFileDir) await this.writePorts();
    for (const warning of [...next.warnings, ...next.notices]) log.warn(warning);
    log.info(`Reloaded server configuration (${next.configDigest})`);
  }

  /** Writes the pid file, and removes the one that was there under another name. */
  private async writePid(): Promise<void> {
    const { pidFile } = this.options;
    const removeOld = this.removePid;
    this.removePid = null;
    if (pidFile !== '') {
      const { writePidFile, removePidFile } = await import('../server/pid-file.js');
      writePidFile(pidFile);
      this.removePid = () => removePidFile(pidFile);
    }
    removeOld?.();
  }

  /** A ports file that cannot be written is no reason to end: clients may be in already. */
  private async writePorts(): Promise<void> {
    const { portsFileDir } = this.options;
    const removeOld = this.removePorts;
    this.removePorts = null;
    if (portsFileDir !== '') {
      const { portsFilePath, removePortsFile, writePortsFile } = await import('../server/ports-file.js');
      const path = portsFilePath(portsFileDir, PORTS_FILE_NAME);
      try {
        writePortsFile(path, this.server.urls);
        this.removePorts = () => removePortsFile(path);
      } catch (error) {
        this.log.error(describe(error));
      }
    }
    removeOld?.();
  }

  private cleanUp(): void {
    this.removePid?.();
    this.removePorts?.();
    this.removePid = null;
    this.removePorts = null;
    this.log.close();
  }

  /** Nothing can be trusted to work any more but the log. */
  private die(text: string): void {
    this.log.fatal(text);
    this.cleanUp();
    process.exit(1);
  }
}
