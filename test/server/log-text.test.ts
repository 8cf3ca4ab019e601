import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.js';
import { openJsonLogger } from '../../src/server/log-json.js';
import type { LogSink } from '../../src/server/log-sink.js';
import { TextLogger } from '../../src/server/log-text.js';

class Lines implements LogSink {
  readonly lines: string[] = [];

  write(line: string): void {
    this.lines.push(line);
  }

  reopen(): boolean {
    return false;
  }

  close(): void {}
}

class HandClock implements Clock {
  wallMs: number;
  elapsedNs = 0;

  constructor(wallMs: number) {
    this.wallMs = wallMs;
  }

  nowMs(): number {
    return this.wallMs;
  }

  monotonicNs(): number {
    return this.elapsedNs;
  }

  after(): never {
    throw new Error('a log sets no timers');
  }
}

const plain = { debug: false, trace: false, timestamps: false, utc: true, colors: false, pid: 7 };

describe('the text log', () => {
  it('writes the lines of nats-server', () => {
    const sink = new Lines();
    const clock = new HandClock(Date.UTC(2025, 0, 2, 15, 4, 5));
    const logger = new TextLogger({ ...plain, sink, timestamps: true, clock });
    logger.info('Server is ready');
    clock.elapsedNs = 1_234_567;
    clock.wallMs += 1;
    logger.warn('slow');
    expect(sink.lines).toEqual([
      '[7] 2025/01/02 15:04:05.000000 [INF] Server is ready\n',
      '[7] 2025/01/02 15:04:05.001234 [WRN] slow\n',
    ]);
  });

  it('follows the wall clock when that is set', () => {
    const sink = new Lines();
    const clock = new HandClock(Date.UTC(2025, 0, 2, 15, 4, 5));
    const logger = new TextLogger({ ...plain, sink, timestamps: true, clock });
    clock.wallMs = Date.UTC(2024, 11, 31, 23, 59, 59, 250);
    logger.error('the clock was wrong');
    expect(sink.lines).toEqual(['[7] 2024/12/31 23:59:59.250000 [ERR] the clock was wrong\n']);
  });

  it('writes debug and trace only when they are on', () => {
    const sink = new Lines();
    const quiet = new TextLogger({ ...plain, sink });
    quiet.debug('d');
    quiet.trace('t');
    expect(sink.lines).toEqual([]);
    const loud = new TextLogger({ ...plain, sink, debug: true, trace: true });
    loud.debug('d');
    loud.trace('t');
    loud.fatal('f');
    expect(sink.lines).toEqual(['[7] [DBG] d\n', '[7] [TRC] t\n', '[7] [FTL] f\n']);
  });

  it('colours only the label', () => {
    const sink = new Lines();
    new TextLogger({ ...plain, sink, colors: true }).info('text');
    expect(sink.lines).toEqual(['[7] [\u001b[32mINF\u001b[0m] text\n']);
  });

  it('lets no text pose as a line of its own', () => {
    const sink = new Lines();
    new TextLogger({ ...plain, sink }).info('client "x\r\n[7] [FTL] forged"\n');
    expect(sink.lines).toEqual(['[7] [INF] client "x\n    [7] [FTL] forged"\n']);
  });
});

describe('the JSON log', () => {
  it('writes one object a line', async () => {
    const sink = new Lines();
    const logger = await openJsonLogger({ sink, debug: true, trace: false });
    logger.info('Server is ready');
    logger.debug('two\nlines');
    logger.trace('unseen');
    const objects = sink.lines.map((line) => JSON.parse(line));
    expect(objects).toMatchObject([
      { level: 'info', pid: process.pid, msg: 'Server is ready' },
      { level: 'debug', pid: process.pid, msg: 'two\nlines' },
    ]);
    expect(new Date(objects[0].time).getTime()).toBeGreaterThan(0);
  });
});
