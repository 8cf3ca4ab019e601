import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { PluginTurn } from '../../src/host/turn.js';

/** A clock that stands still, and turns that come when a test says so. */
function stage() {
  const times = { ms: 1_000, ns: 0, readings: 0 };
  const clock: Clock = {
    ...systemClock,
    nowMs: () => {
      times.readings++;
      return times.ms;
    },
    monotonicNs: () => times.ns,
  };
  const deferred: (() => void)[] = [];
  const turn = new PluginTurn(clock, (run) => deferred.push(run));
  const next = () => {
    for (const run of deferred.splice(0)) run();
  };
  return { times, turn, next };
}

describe('PluginTurn', () => {
  it('reads the clock once a turn', () => {
    const { times, turn, next } = stage();
    for (let i = 0; i < 100; i++) turn.open();
    times.ms = 2_000;
    turn.open();
    expect([turn.wallMs, times.readings]).toEqual([1_000, 1]);
    next();
    turn.open();
    expect([turn.wallMs, times.readings]).toEqual([2_000, 2]);
  });

  it('is spent when plugins took long, not when they took fuel', () => {
    const { times, turn, next } = stage();
    turn.open();
    turn.add(10_000_000);
    expect(turn.spent).toBe(false);
    times.ns = 1_000_000;
    turn.add(10_000_000);
    expect(turn.spent).toBe(true);
    next();
    expect(turn.spent).toBe(false);
  });

  it('calls those who wait in their order, and the rest a turn later when it is spent', () => {
    const { times, turn, next } = stage();
    const called: number[] = [];
    for (const number of [1, 2, 3]) {
      turn.later(() => {
        called.push(number);
        times.ns += 600_000;
        turn.add(2_000_000);
      });
    }
    next();
    expect(called).toEqual([1, 2]);
    next();
    expect(called).toEqual([1, 2, 3]);
  });
});
