import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BusyPoll } from '../../src/net/busy-poll.js';

const WINDOW_MS = 0.06;
const SMALL = 100;

/** Drives the event loop by hand: each look takes 2 µs. */
class Loop {
  ns = 0;
  readonly poll = new BusyPoll(() => this.ns, WINDOW_MS);

  /** Whether the loop is kept awake. */
  get awake(): boolean {
    return vi.getTimerCount() > 0;
  }

  look(tookNs = 2_000): void {
    this.ns += tookNs;
    vi.advanceTimersToNextTimer();
  }

  /** A turn sends, and the next comes so much later. */
  turn(nextAfterNs: number, sentBytes = SMALL): void {
    this.poll.turnEnded(sentBytes);
    const untilNs = this.ns + nextAfterNs;
    while (this.awake && this.ns + 2_000 < untilNs) this.look();
    this.ns = untilNs;
  }
}

describe('polling while it pays', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setImmediate'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('stays awake after a small turn, and no longer than the window', () => {
    const loop = new Loop();
    loop.poll.turnEnded(SMALL);
    expect(loop.awake).toBe(true);
    while (loop.awake) loop.look();
    expect(loop.ns / 1e6).toBeCloseTo(WINDOW_MS, 2);
  });

  it.each([
    ['nothing was sent', 0],
    ['much was sent', 64 * 1024],
  ])('sleeps when %s', (_, sentBytes) => {
    const loop = new Loop();
    loop.poll.turnEnded(sentBytes);
    expect(loop.awake).toBe(false);
  });

  it('never polls with a window of 0', () => {
    const poll = new BusyPoll(() => 0, 0);
    poll.turnEnded(SMALL);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('goes on for as long as messages come within the window', () => {
    const loop = new Loop();
    for (let i = 0; i < 10_000; i++) {
      loop.turn(30_000);
      expect(loop.awake).toBe(true);
    }
  });

  it('rests when messages come later, and tries again after a while', () => {
    const loop = new Loop();
    let windows = 0;
    for (let i = 0; i < 10_000; i++) {
      loop.poll.turnEnded(SMALL);
      if (loop.awake) windows++;
      while (loop.awake) loop.look();
      loop.ns += 40_000;
    }
    // Half a second went by: four windows before the first rest, one before each of the others.
    expect(windows).toBeGreaterThan(4);
    expect(windows).toBeLessThan(15);
  });

  it('rests when others want the core, though messages come in time', () => {
    const loop = new Loop();
    let looks = 0;
    for (let i = 0; i < 1_000; i++) {
      loop.poll.turnEnded(SMALL);
      if (loop.awake) {
        looks++;
        loop.look(25_000);
      }
      loop.ns += 10_000;
    }
    expect(looks).toBeLessThan(10);
  });
});
