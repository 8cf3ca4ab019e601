import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Verdict } from '../../src/sandbox/abi.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import type { Instance } from '../../src/sandbox/instance.js';
import { call, emitsOf, open, parse, payloadOf, swapped } from './bundled.js';

/** A message at a time; with a `swap`, the next version takes over before it. */
interface Step {
  key: string;
  value: number;
  afterMs: number;
  swap: boolean;
}

const KEYS_MAX = 3;
const steps = fc.array(
  fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'é"', 'a key of more than sixteen bytes'),
    value: fc.integer({ min: -8, max: 8 }).map((halves) => halves / 2),
    afterMs: fc.constantFrom(0, 1, 400, 1000),
    swap: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  }),
  { maxLength: 40 },
);

/** What is remembered by key, in the order in which keys came last. */
class Memory<T> {
  readonly entries = new Map<string, T>();

  take(key: string, make: () => T): T {
    const value = this.entries.get(key) ?? make();
    this.entries.delete(key);
    if (this.entries.size === KEYS_MAX) this.entries.delete([...this.entries.keys()][0]);
    this.entries.set(key, value);
    return value;
  }
}

/** Runs random messages through a plugin, and checks each one. */
function checkAll(
  plugin: string,
  config: object,
  start: () => (instance: Instance, step: Step, wallMs: number) => void,
) {
  fc.assert(
    fc.property(steps, (list) => {
      let instance = open(plugin, config);
      let wallMs = 1_000_000;
      const check = start();
      for (const step of list) {
        if (step.swap) instance = swapped(instance, plugin, config);
        wallMs += step.afterMs;
        check(instance, step, wallMs);
      }
    }),
    { numRuns: 200 },
  );
}

const messageOf = ({ key, value }: Step) => JSON.stringify({ id: key, v: value });
const passes = (isPassing: boolean) => (isPassing ? Verdict.pass : Verdict.drop);

describe('plugins that remember, against a model', () => {
  it('deadband', () => {
    checkAll('deadband', { field: 'v', band: 1, interval_ms: 1000, key: 'id', keys_max: KEYS_MAX }, () => {
      const memory = new Memory<{ value: number; atMs: number }>();
      return (instance, step, wallMs) => {
        const last = memory.take(step.key, () => ({ value: Number.POSITIVE_INFINITY, atMs: 0 }));
        const isReported = Math.abs(step.value - last.value) > 1 || wallMs - last.atMs >= 1000;
        expect(call(instance, messageOf(step), { wallMs })).toBe(passes(isReported));
        if (isReported) Object.assign(last, { value: step.value, atMs: wallMs });
      };
    });
  });

  it('throttle', () => {
    checkAll('throttle', { messages: 2, interval_ms: 1000, burst: 3, key: 'id', keys_max: KEYS_MAX }, () => {
      const memory = new Memory<{ tokens: number; atMs: number }>();
      return (instance, step, wallMs) => {
        const bucket = memory.take(step.key, () => ({ tokens: 3, atMs: wallMs }));
        bucket.tokens = Math.min(3, bucket.tokens + ((wallMs - bucket.atMs) * 2) / 1000);
        bucket.atMs = wallMs;
        const isPassing = bucket.tokens > 0.9999;
        expect(call(instance, messageOf(step), { wallMs })).toBe(passes(isPassing));
        if (isPassing) bucket.tokens--;
      };
    });
  });

  it('dedupe', () => {
    checkAll('dedupe', { field: 'id', window_ms: 1000, keys_max: KEYS_MAX }, () => {
      const memory = new Memory<number>();
      return (instance, step, wallMs) => {
        const seenMs = memory.entries.get(step.key);
        const isNew = seenMs === undefined || wallMs - seenMs >= 1000;
        expect(call(instance, messageOf(step), { wallMs })).toBe(passes(isNew));
        if (!isNew) return;
        memory.take(step.key, () => wallMs);
        memory.entries.set(step.key, wallMs);
      };
    });
  });

  it.each([{ alpha: 0.3 }, { samples: 3 }])('smooth with %j', (how) => {
    checkAll('smooth', { field: 'v', key: 'id', keys_max: KEYS_MAX, decimals: 9, ...how }, () => {
      const memory = new Memory<number[]>();
      return (instance, step, wallMs) => {
        const past = memory.take(step.key, () => []);
        past.push(step.value);
        const average = past.slice(-3).reduce((sum, value) => sum + value, 0) / Math.min(past.length, 3);
        const exponential = past.reduce((mean, value) => mean + 0.3 * (value - mean));
        expect(call(instance, messageOf(step), { wallMs })).toBe(Verdict.replace);
        const { id, v } = parse(payloadOf(instance)) as { id: string; v: number };
        expect(id).toBe(step.key);
        expect(v).toBeCloseTo('alpha' in how ? exponential : average, 8);
      };
    });
  });

  it('aggregate: each number is counted once, in its window', () => {
    const config = { field: 'v', to: 'x.{#key}', window_ms: 1000, key: 'id', keys_max: KEYS_MAX, decimals: 9 };
    fc.assert(
      fc.property(steps, (list) => {
        let instance = open('aggregate', config);
        let wallMs = 1_000_000;
        const numbers = new Map<string, number[]>();
        const told = new Map<string, { count: number; least: number; most: number; sum: number }>();
        const listen = () => {
          for (const { payload } of emitsOf(instance)) {
            const result = parse(payload) as { key: string; from: number; to: number } & Record<string, number>;
            expect(result.to - result.from).toBe(1000);
            const name = `${result.key} ${result.from}`;
            // A key that gave way may come back within its window.
            const { count = 0, least = Infinity, most = -Infinity, sum = 0 } = told.get(name) ?? {};
            told.set(name, {
              count: count + result.count,
              least: Math.min(least, result.min),
              most: Math.max(most, result.max),
              sum: sum + result.mean * result.count,
            });
          }
        };
        for (const step of list) {
          if (step.swap) instance = swapped(instance, 'aggregate', config);
          wallMs += step.afterMs;
          if (step.afterMs === 400) {
            expect(instance.tick(wallMs)).toBe(true);
            listen();
          }
          const name = `${step.key} ${Math.floor(wallMs / 1000) * 1000}`;
          numbers.set(name, [...(numbers.get(name) ?? []), step.value]);
          expect(call(instance, messageOf(step), { wallMs })).toBe(Verdict.drop);
          listen();
        }
        expect(instance.drain()).toBe(true);
        listen();
        expect([...told.keys()].sort()).toEqual([...numbers.keys()].sort());
        for (const [name, list] of numbers) {
          const { count, least, most, sum } = told.get(name)!;
          expect([count, least, most]).toEqual([list.length, Math.min(...list), Math.max(...list)]);
          expect(sum).toBeCloseTo(
            list.reduce((all, value) => all + value, 0),
            6,
          );
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('what a plugin remembers is bounded', () => {
  const send = (instance: Instance, from: number, to: number) => {
    for (let i = from; i < to; i++) call(instance, `{"id":"device-${i}-${'x'.repeat(i % 40)}","v":${i}}`);
  };

  it.each([
    ['deadband', { band: 1 }],
    ['smooth', { samples: 8 }],
  ])('%s has no more memory after a million keys than after some thousands', (plugin, more) => {
    const instance = open(plugin, { field: 'v', key: 'id', keys_max: 1000, ...more });
    send(instance, 0, 20_000);
    const before = instance.memoryBytes;
    send(instance, 20_000, 200_000);
    expect(instance.memoryBytes).toBe(before);
  });

  it.each([
    ['deadband', { band: 1 }],
    ['smooth', { samples: 7 }],
    ['aggregate', { to: 'x.{#key}' }],
  ])('%s with all the keys that it can have keeps to its budgets, and its state to its own', (plugin, more) => {
    const config = { field: 'v', key: 'id', keys_max: 65_536, ...more };
    const instance = open(plugin, config, DEFAULT_BUDGET);
    for (let i = 0; i < 70_000; i++) {
      const verdict = call(instance, `{"id":"device-${i}","v":${i}}`);
      expect([instance.fault.text, verdict]).toEqual([
        '',
        plugin === 'smooth' ? Verdict.replace : plugin === 'deadband' ? Verdict.pass : Verdict.drop,
      ]);
    }
    if (plugin === 'aggregate') expect([instance.tick(0), instance.fault.text]).toEqual([true, '']);
    const state = instance.save();
    expect(instance.fault.text).toBe('');
    expect(state!.length).toBeLessThanOrEqual(1024 * 1024);
    expect(state!.length).toBeGreaterThan(100_000);
    const next = open(plugin, config, DEFAULT_BUDGET);
    expect([next.restoreState(state!), next.fault.text]).toEqual([true, '']);
    // The newest are there.
    if (plugin === 'deadband') expect(call(next, '{"id":"device-69999","v":69999}')).toBe(Verdict.drop);
  });

  it('aggregate tells windows that have ended, and those from before the clock was set back, and no others', () => {
    const instance = open('aggregate', { field: 'v', to: 'x.{#key}', window_ms: 1000, key: 'id' });
    const comes = (id: string, wallMs: number) => call(instance, `{"id":"${id}","v":1}`, { wallMs });
    const toldAt = (nowMs: number) => {
      expect(instance.tick(nowMs)).toBe(true);
      return emitsOf(instance).map(({ subject }) => subject);
    };
    comes('future', 9_000_000);
    comes('a', 1_000_100);
    comes('b', 1_000_200);
    comes('c', 1_001_300);
    expect(toldAt(1_001_400)).toEqual(['x.future', 'x.a', 'x.b']);
    comes('c', 1_001_500);
    expect(toldAt(1_001_999)).toEqual([]);
    expect(toldAt(1_002_000)).toEqual(['x.c']);
  });

  it.each([0, 100, 243])('a state of keys with %i bytes more can be taken on', (more) => {
    const config = { field: 'v', key: 'id', band: 1 };
    const instance = open('deadband', config, DEFAULT_BUDGET);
    for (let i = 0; i < 10_000; i++) call(instance, `{"id":"device-${i}${'x'.repeat(more)}","v":${i}}`);
    const next = open('deadband', config, DEFAULT_BUDGET);
    expect([next.restoreState(instance.save()!), next.fault.text]).toEqual([true, '']);
  });

  it('refuses a state that it did not save', () => {
    const config = { field: 'v', band: 1 };
    const saved = open('deadband', config);
    call(saved, '{"v":1}');
    const state = saved.save()!;
    expect(open('deadband', config).restoreState(state)).toBe(true);
    for (let end = 0; end < state.length; end++) {
      // What ends between two keys is a state, too.
      if (end !== 4) expect(open('deadband', config).restoreState(state.slice(0, end))).toBe(false);
    }
    expect(open('throttle', { messages: 1 }).restoreState(Buffer.from('not a state at all'))).toBe(false);
  });

  it('a key of more than 256 bytes is none', () => {
    const instance = open('deadband', { field: 'v', band: 1, key: 'id', invalid: 'reject' });
    expect(call(instance, JSON.stringify({ v: 1, id: 'x'.repeat(256) }))).toBe(Verdict.pass);
    expect(call(instance, JSON.stringify({ v: 1, id: 'x'.repeat(257) }))).toBe(Verdict.reject);
    expect(instance.outbox.error).toBe('the key has more than 256 bytes');
  });
});
