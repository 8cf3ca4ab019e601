import { describe } from '../base/failure.js';
import type { Logger } from '../base/logger.js';

/** What signals can ask of a running server. */
export interface SignalTarget {
  stop(): Promise<void>;
  reload(): Promise<void>;
  reopenLog(): void;
  /** Resolves when the last client has gone and the server has stopped. */
  lameDuck(): Promise<void>;
}

/** The names by which nats-server's log tells of signals. */
const signalTexts = {
  SIGINT: 'interrupt',
  SIGTERM: 'terminated',
  SIGHUP: 'hangup',
  SIGUSR1: 'user defined signal 1',
  SIGUSR2: 'user defined signal 2',
} as const;
export type HandledSignal = keyof typeof signalTexts;

/**
 * TERM and INT stop, HUP reloads, USR1 reopens the log file, USR2 starts lame duck mode. `exit` is called with the exit code
 * once the server has stopped. A second INT or TERM while it stops ends the process at once.
 */
export class SignalHandler {
  private readonly target: SignalTarget;
  private readonly logger: Logger;
  private readonly exit: (code: number) => void;
  private readonly listeners: [HandledSignal, () => void][];
  private lameDuck = false;
  private stopping = false;

  constructor(target: SignalTarget, logger: Logger, exit: (code: number) => void) {
    this.target = target;
    this.logger = logger;
    this.exit = exit;
    this.listeners = (Object.keys(signalTexts) as HandledSignal[]).map((name) => [name, () => this.handle(name)]);
  }

  listen(): void {
    for (const [name, listener] of this.listeners) process.on(name, listener);
  }

  close(): void {
    for (const [name, listener] of this.listeners) process.off(name, listener);
  }

  handle(name: HandledSignal): void {
    this.logger.info(`Trapped "${signalTexts[name]}" signal`);
    this[name]();
  }

  private SIGINT(): void {
    if (this.stopping) {
      this.logger.warn('Already stopping: exiting at once');
      this.exit(1);
      return;
    }
    this.stopping = true;
    this.finish(this.target.stop(), 'Failed to stop cleanly');
  }

  /** As nats-server does, TERM lets a lame duck finish on its own. */
  private SIGTERM(): void {
    if (!this.lameDuck || this.stopping) this.SIGINT();
  }

  private SIGHUP(): void {
    this.target
      .reload()
      .catch((error) => this.logger.error(`Failed to reload server configuration: ${describe(error)}`));
  }

  private SIGUSR1(): void {
    this.target.reopenLog();
  }

  private SIGUSR2(): void {
    if (this.lameDuck) return;
    this.lameDuck = true;
    this.finish(this.target.lameDuck(), 'Failed to finish lame duck mode');
  }

  private finish(work: Promise<void>, failed: string): void {
    work.then(
      () => this.exit(0),
      (error) => {
        this.logger.fatal(`${failed}: ${describe(error)}`);
        this.exit(1);
      },
    );
  }
}
