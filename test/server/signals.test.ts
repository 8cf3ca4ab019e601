import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Logger, silentLogger } from '../../src/base/logger.js';
import { type ProcessTable, sendSignal, systemProcesses } from '../../src/server/signal-sender.js';
import { SignalHandler, type SignalTarget } from '../../src/server/signals.js';

class Recorder implements SignalTarget {
  readonly calls: string[] = [];
  readonly lines: string[] = [];
  readonly exits: Promise<number>;
  private exited!: (code: number) => void;
  private readonly failing: string | null;
  readonly handler: SignalHandler;

  constructor(failing: string | null = null) {
    this.failing = failing;
    this.exits = new Promise((resolve) => {
      this.exited = resolve;
    });
    const line = (text: string) => {
      this.lines.push(text);
    };
    const logger: Logger = { ...silentLogger, info: line, warn: line, error: line, fatal: line };
    this.handler = new SignalHandler(this, logger, (code) => this.exited(code));
  }

  private async call(name: string): Promise<void> {
    this.calls.push(name);
    if (this.failing === name) throw new Error(`${name} broke`);
  }

  stop(): Promise<void> {
    return this.call('stop');
  }

  reload(): Promise<void> {
    return this.call('reload');
  }

  lameDuck(): Promise<void> {
    return this.call('lameDuck');
  }

  reopenLog(): void {
    this.calls.push('reopenLog');
  }
}

describe('signals that arrive', () => {
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    it(`${name} stops with exit code 0`, async () => {
      const recorder = new Recorder();
      recorder.handler.handle(name);
      expect(await recorder.exits).toBe(0);
      expect(recorder.calls).toEqual(['stop']);
    });
  }

  it('come from the operating system while it listens, and no longer', async () => {
    const recorder = new Recorder();
    const before = process.listenerCount('SIGUSR1');
    recorder.handler.listen();
    const arrived = new Promise((resolve) => process.once('SIGUSR1', resolve));
    process.kill(process.pid, 'SIGUSR1');
    await arrived;
    recorder.handler.close();
    expect(recorder.calls).toEqual(['reopenLog']);
    expect(recorder.lines).toEqual(['Trapped "user defined signal 1" signal']);
    expect(process.listenerCount('SIGUSR1')).toBe(before);
  });

  it('a failed stop is told and exits with 1', async () => {
    const recorder = new Recorder('stop');
    recorder.handler.handle('SIGTERM');
    expect(await recorder.exits).toBe(1);
    expect(recorder.lines).toContain('Failed to stop cleanly: stop broke');
  });

  it('a second interrupt does not wait', async () => {
    const recorder = new Recorder();
    recorder.stop = () => new Promise<void>(() => {});
    recorder.handler.handle('SIGINT');
    recorder.handler.handle('SIGINT');
    expect(await recorder.exits).toBe(1);
  });

  it('a failed reload leaves the server running', async () => {
    const recorder = new Recorder('reload');
    recorder.handler.handle('SIGHUP');
    await new Promise((resolve) => setImmediate(resolve));
    expect(recorder.lines).toEqual(['Trapped "hangup" signal', 'Failed to reload server configuration: reload broke']);
  });

  it('a lame duck ignores TERM and further USR2', async () => {
    const recorder = new Recorder();
    recorder.handler.handle('SIGUSR2');
    recorder.handler.handle('SIGUSR2');
    recorder.handler.handle('SIGTERM');
    expect(await recorder.exits).toBe(0);
    expect(recorder.calls).toEqual(['lameDuck']);
  });
});

describe('--signal', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-signals-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  class Table implements ProcessTable {
    readonly sent: string[] = [];
    private readonly pids: number[] | null;

    constructor(pids: number[] | null) {
      this.pids = pids;
    }

    named(): number[] | null {
      return this.pids;
    }

    signal(pid: number, signal: string): void {
      if (pid === 999) throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH' });
      this.sent.push(`${signal} ${pid}`);
    }
  }

  const commands = {
    stop: 'SIGKILL',
    quit: 'SIGINT',
    term: 'SIGTERM',
    reopen: 'SIGUSR1',
    reload: 'SIGHUP',
    ldm: 'SIGUSR2',
  };
  for (const [command, signal] of Object.entries(commands)) {
    it(`${command} sends ${signal} to the only server`, () => {
      const table = new Table([42]);
      sendSignal(command, 'nats-server', table);
      expect(table.sent).toEqual([`${signal} 42`]);
    });
  }

  it('takes a pid, a pid file or a pattern', () => {
    const file = join(folder, 'server.pid');
    writeFileSync(file, '77\n');
    const table = new Table([12, 123, 45]);
    for (const text of ['reload=5', `reload=${file}`, 'term=12*', 'quit=*']) sendSignal(text, 'nats-server', table);
    expect(table.sent).toEqual([
      'SIGHUP 5',
      'SIGHUP 77',
      'SIGTERM 12',
      'SIGTERM 123',
      'SIGINT 12',
      'SIGINT 123',
      'SIGINT 45',
    ]);
  });

  const refusals: [string, number[] | null, string][] = [
    ['stop', [], 'no nats-server processes running'],
    ['stop', [1, 2], 'multiple nats-server processes running:\n1\n2'],
    ['stop', null, 'unable to resolve pid, try providing one'],
    ['bogus', [], 'no nats-server processes running'],
    ['bogus=5', [], 'unknown signal "bogus"'],
    ['toString=5', [], 'unknown signal "toString"'],
    ['stop=0', [], 'invalid pid: 0'],
    ['stop=-1', [], 'invalid pid: -1'],
    ['stop=/no/such/file', [], 'invalid pid: /no/such/file'],
    ['stop=1=2', [], 'invalid signal parameters: [2]'],
    ['stop=999', [], 'signal "stop" 999: no such process'],
  ];
  for (const [text, pids, message] of refusals) {
    it(`${text} with ${pids?.length ?? 'unknown'} servers says: ${message.split('\n')[0]}`, () => {
      const table = new Table(pids);
      expect(() => sendSignal(text, 'nats-server', table)).toThrow(message);
      expect(table.sent).toEqual([]);
    });
  }

  it('finds running processes by their name, but never itself', () => {
    expect(systemProcesses.named('no-such-server')).toEqual([]);
  });
});
