import { beforeEach, describe, expect, test } from 'vitest';
import { Breaker } from '../../src/host/breaker.js';
import { ManualClock } from '../kit/manual-clock.js';

let clock: ManualClock;
let breaker: Breaker;
let changes: boolean[];
beforeEach(() => {
  clock = new ManualClock();
  breaker = new Breaker(clock);
  changes = [];
  breaker.onChange = (quarantined) => changes.push(quarantined);
});

function fault(times: number): void {
  for (let i = 0; i < times; i++) breaker.onFault();
}

/** Milliseconds until it admits a call again. */
function msUntilProbe(): number {
  let ms = 0;
  for (; !breaker.admits(); ms += 100) clock.advance(100);
  return ms;
}

describe('a breaker opens', () => {
  test('with the fifth fault in ten seconds', () => {
    fault(4);
    expect(breaker).toMatchObject({ quarantined: false });
    clock.advance(9_999);
    breaker.onFault();
    expect(breaker.quarantined).toBe(true);
    expect(breaker.admits()).toBe(false);
    expect(changes).toEqual([true]);
  });

  test('not when the first of five was longer ago', () => {
    fault(4);
    clock.advance(10_000);
    breaker.onFault();
    expect(breaker.admits()).toBe(true);
  });

  test('when half of twenty calls failed, however slowly they came', () => {
    for (let i = 0; i < 19; i++) {
      clock.advance(60_000);
      if (i % 2 === 1) breaker.onFault();
      else breaker.onSuccess();
    }
    expect(breaker.quarantined).toBe(false);
    clock.advance(60_000);
    breaker.onFault();
    expect(breaker.quarantined).toBe(true);
  });

  test('not when fewer than half failed', () => {
    for (let i = 0; i < 200; i++) {
      clock.advance(60_000);
      if (i % 3 === 0) breaker.onFault();
      else breaker.onSuccess();
    }
    expect(changes).toEqual([]);
  });
});

describe('an open breaker', () => {
  test('lets one call through after a second, and waits twice as long after each that fails', () => {
    fault(5);
    const waits = [msUntilProbe()];
    for (let probe = 0; probe < 6; probe++) {
      breaker.onFault();
      waits.push(msUntilProbe());
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(changes).toEqual([true]);
  });

  test('closes when a probe succeeds', () => {
    fault(5);
    msUntilProbe();
    breaker.onSuccess();
    expect(breaker.quarantined).toBe(false);
    expect(changes).toEqual([true, false]);
    fault(4);
    expect(breaker.admits()).toBe(true);
  });
});

describe('a breaker that closed', () => {
  test('waits longer than before when it opens again at once', () => {
    fault(5);
    expect(msUntilProbe()).toBe(1_000);
    breaker.onSuccess();
    fault(5);
    expect(msUntilProbe()).toBe(2_000);
  });

  test('has forgotten everything after ten healthy seconds', () => {
    fault(5);
    msUntilProbe();
    breaker.onSuccess();
    clock.advance(10_001);
    fault(5);
    expect(msUntilProbe()).toBe(1_000);
    expect(changes).toEqual([true, false, true]);
  });
});
