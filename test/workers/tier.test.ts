import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import { StatusWord } from '../../src/workers/protocol.js';
import { WorkerTier } from '../../src/workers/tier.js';
import { CONTROL_AT, guest, INBOX_AT, OUTBOX_AT } from '../hostile/guest.js';
import { until } from '../kit/wait.js';
import { type Came, MessageCall, sendAll, settingsOf } from './calls.js';

/** Answers the payload's first byte less 48, as a verdict: "0" passes, "1" drops. */
const BY_FIRST_BYTE = '(i32.sub (i32.load8_u (local.get 6)) (i32.const 48))';
/** Never ends for a payload that begins with "s"; fuel for longer than the watchdog waits. */
const STUCK_ON_S = '(if (i32.eq (i32.load8_u (local.get 6)) (i32.const 115)) (then (loop (br 0)))) i32.const 0';
const MUCH_FUEL = { ...DEFAULT_BUDGET, fuelPerMessage: 2 ** 31 - 1 };
const DEADLINE_MS = 20_000;

/** Replaces the payload by itself, whatever its length. */
const ECHO = {
  message: `(i32.store (i32.const ${OUTBOX_AT}) (i32.const 3)) (i32.store (i32.const ${OUTBOX_AT + 4}) (local.get 7))
    (memory.copy (i32.const ${OUTBOX_AT + 8}) (local.get 6) (local.get 7))
    (i32.store (i32.const ${CONTROL_AT + 16}) (i32.add (local.get 7) (i32.const 8))) i32.const 2`,
};

let tier: WorkerTier;
let came: Came[];

function newTier(threads: number): void {
  tier = new WorkerTier(systemClock, () => threads);
  came = [];
}

afterEach(() => tier.close());

function names(): string {
  return came.map(({ name }) => name).join(' ');
}

describe('the worker tier', () => {
  it('answers in order, with what guests wrote', async () => {
    newTier(1);
    const one = tier.guest(settingsOf(await guest(ECHO)));
    expect(tier.snapshot()).toEqual([]);
    const sent = Array.from({ length: 5000 }, (_, i) => `message ${i}`);
    sendAll(one, came, sent);
    expect(one.isFull).toBe(true);
    await until(() => came.length === sent.length, 'the answers', DEADLINE_MS);
    expect(came.map(({ payload }) => payload)).toEqual(sent);
    expect(came.every(({ verdict }) => verdict === 2)).toBe(true);
    expect(one.isFull).toBe(false);
    expect([one.messages, one.bytes]).toEqual([0, 0]);
  });

  it('carries what is larger than a ring', async () => {
    newTier(1);
    const memory = '200';
    const control: [number, number, number, number] = [0x10000, 0x500000, 0x510000, 0x600000];
    const message = ECHO.message
      .replaceAll(String(OUTBOX_AT + 8), String(0x510008))
      .replaceAll(String(OUTBOX_AT + 4), String(0x510004));
    const wasm = await guest({ memory, control, message: message.replaceAll(String(OUTBOX_AT), String(0x510000)) });
    const budget = { ...DEFAULT_BUDGET, outputBytesMax: 8 * 1024 * 1024, fuelPerMessage: 100_000_000 };
    const one = tier.guest(settingsOf(wasm, { budget }));
    const large = Buffer.alloc(4 * 1024 * 1024, 'abc');
    one.call(new MessageCall(came, 'small'));
    const timed = new MessageCall(came, 'large', { payload: large, timed: true });
    one.call(timed);
    one.call(new MessageCall(came, 'small again'));
    await until(() => came.length === 3, 'the answers', DEADLINE_MS);
    expect(came.map(({ cause, text }) => cause ?? text)).toEqual(['', '', '']);
    expect(came[1].payload === large.toString('latin1')).toBe(true);
    expect([came[0].payload, came[2].payload]).toEqual(['small', 'small again']);
    expect(timed.ns).toBeGreaterThan(0);
  });

  it('times one call of many, which stands for them, and those whose time is wanted, which do not', async () => {
    newTier(1);
    const one = tier.guest(settingsOf(await guest({ message: BY_FIRST_BYTE })));
    const calls = Array.from({ length: 130 }, (_, i) => new MessageCall(came, '0', { timed: i % 10 === 5 }));
    for (const call of calls) one.call(call);
    await until(() => came.length === calls.length, 'the answers', DEADLINE_MS);
    const numbers = (wanted: (call: MessageCall) => boolean) => calls.flatMap((call, i) => (wanted(call) ? [i] : []));
    expect(numbers(({ isSample, ns }) => isSample && ns >= 0)).toEqual([0, 64, 128]);
    expect(numbers(({ isSample, ns }) => !isSample && ns > 0)).toEqual(numbers(({ timed }) => timed));
  });

  it('ends a guest that is stuck, and does the rest with another worker', async () => {
    newTier(1);
    const one = tier.guest(settingsOf(await guest({ message: STUCK_ON_S }), { budget: MUCH_FUEL }));
    const other = tier.guest(settingsOf(await guest({ message: BY_FIRST_BYTE })));
    sendAll(one, came, ['a', 'b', 'stuck', 'c']);
    sendAll(other, came, ['0', '1']);
    sendAll(one, came, ['d']);
    await until(() => came.length === 7, 'the answers', DEADLINE_MS);
    expect(names()).toBe('a b stuck c 0 1 d');
    expect(came[2]).toMatchObject({ verdict: -1, cause: 'watchdog' });
    expect(came[2].text).toMatch(/the call had not ended after \d+ ms; 50 are allowed/);
    expect(came[5].verdict).toBe(1);
    expect(one.stuck).toBe(1);
    expect(tier.snapshot()).toMatchObject([{ thread: 1, restarts: 1, guests: 2, depth: 0 }]);
  });

  it('does not take the others with it where they have a thread of their own', async () => {
    newTier(2);
    const one = tier.guest(settingsOf(await guest({ message: STUCK_ON_S }), { budget: MUCH_FUEL, watchdogMs: 300 }));
    const other = tier.guest(settingsOf(await guest({ message: BY_FIRST_BYTE })));
    sendAll(other, came, ['0']);
    await until(() => came.length === 1, 'the other thread', DEADLINE_MS);
    sendAll(one, came, ['stuck']);
    sendAll(other, came, ['1']);
    await until(() => came.length === 3, 'the answers', DEADLINE_MS);
    expect(names()).toBe('0 1 stuck');
  });

  it('makes a new instance after a trap', async () => {
    newTier(1);
    const message = `(i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
      (if (i32.eq (i32.load8_u (local.get 6)) (i32.const 116)) (then unreachable)) (i32.gt_s (i32.load (i32.const 8)) (i32.const 1))`;
    const one = tier.guest(settingsOf(await guest({ message })));
    sendAll(one, came, ['a', 'b', 'trap', 'c', 'd']);
    await until(() => came.length === 5, 'the answers', DEADLINE_MS);
    expect(came.map(({ verdict }) => verdict)).toEqual([0, 1, -1, 0, 1]);
    expect(came[2]).toMatchObject({ cause: 'trap' });
  });

  it('keeps the state that was saved, over an instance and over a thread', async () => {
    newTier(1);
    const extra = `(func (export "weir_save") (result i32) ${record(9, 8)} i32.const 0)
      (func (export "weir_restore") (param i32) (result i32)
        (i32.store (i32.const 8) (i32.load (i32.const ${INBOX_AT}))) i32.const 0)`;
    const count = '(i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))';
    const trap = '(if (i32.eq (i32.load8_u (local.get 6)) (i32.const 116)) (then unreachable))';
    const message = `${count} ${trap} ${STUCK_ON_S.replace('i32.const 0', '')} ${record(3, 8)} i32.const 2`;
    let kept: Uint8Array | null = null;
    const changes = { keepsState: true, budget: MUCH_FUEL, savedState: () => kept };
    const settings = settingsOf(await guest({ extra, message }), changes);
    const one = tier.guest(settings);
    sendAll(one, came, ['a', 'b', 'c']);
    const state = await one.save();
    kept = state as Uint8Array;
    expect(state).toEqual(new Uint8Array([3, 0, 0, 0]));
    sendAll(one, came, ['d', 'trap', 'e', 'stuck', 'f']);
    await until(() => came.length === 8, 'the answers', DEADLINE_MS);
    expect(came.map(({ payload }) => payload?.charCodeAt(0))).toEqual([1, 2, 3, 4, undefined, 4, undefined, 4]);
    const next = tier.guest(settings);
    expect((await next.restore(state as Uint8Array)).fault).toBeNull();
    sendAll(next, came, ['g']);
    await until(() => came.length === 9, 'the answer', DEADLINE_MS);
    expect(came[8].payload?.charCodeAt(0)).toBe(4);
  });

  it('holds calls, and hands them to another guest', async () => {
    newTier(1);
    const one = tier.guest(settingsOf(await guest()));
    const other = tier.guest(settingsOf(await guest({ message: 'i32.const 1' })));
    sendAll(one, came, ['a', 'b']);
    one.hold();
    sendAll(one, came, ['c', 'd']);
    await until(() => came.length === 2, 'those before', DEADLINE_MS);
    expect((await one.open()).fault).toBeNull();
    expect(came.length).toBe(2);
    for (const call of one.takeHeld()) other.call(call);
    one.release();
    await until(() => came.length === 4, 'those behind', DEADLINE_MS);
    expect(came.map(({ name, verdict }) => `${name}${verdict}`)).toEqual(['a0', 'b0', 'c1', 'd1']);
    expect([one.messages, one.bytes]).toEqual([0, 0]);
    await until(() => tier.snapshot()[0].guests === 1, 'the first one to leave', DEADLINE_MS);
    sendAll(one, came, ['e']);
    await until(() => came.length === 5, 'it to be made again', DEADLINE_MS);
  });

  it('keeps calls that were decided elsewhere behind those before them', async () => {
    newTier(1);
    const one = tier.guest(settingsOf(await guest()));
    one.call(new MessageCall(came, 'first', { decided: true }));
    expect(names()).toBe('first');
    sendAll(one, came, ['a']);
    one.call(new MessageCall(came, 'second', { decided: true }));
    sendAll(one, came, ['b']);
    expect(names()).toBe('first');
    await until(() => came.length === 4, 'the answers', DEADLINE_MS);
    expect(names()).toBe('first a second b');
  });

  it('says why a guest cannot be made', async () => {
    newTier(1);
    const one = tier.guest(settingsOf(await guest({ open: 'i32.const 0' })));
    expect((await one.open()).fault).toEqual({ cause: 'memory', text: expect.stringMatching(/answered 0/) });
    const two = tier.guest(
      settingsOf(await guest({ init: '(loop (br 0)) i32.const 0' }), { budget: { ...MUCH_FUEL, fuelForInit: 1000 } }),
    );
    expect((await two.open()).fault).toMatchObject({ cause: 'fuel' });
  });

  it('goes on with another worker when one ends for no reason of its own', async () => {
    newTier(1);
    const one = tier.guest(settingsOf(await guest({ message: BY_FIRST_BYTE })));
    sendAll(one, came, ['0']);
    await until(() => came.length === 1, 'the first answer', DEADLINE_MS);
    await runningOf(tier).worker.terminate();
    await until(() => tier.snapshot()[0].restarts === 1, 'the end to be noticed', DEADLINE_MS);
    sendAll(one, came, ['1', '0']);
    await until(() => came.length === 3, 'the answers', DEADLINE_MS);
    expect(came.map(({ verdict }) => verdict)).toEqual([0, 1, 0]);
  });

  it('blames a call for the end of its worker, and makes the others again', async () => {
    newTier(1);
    const wasm = await guest({ message: STUCK_ON_S });
    const one = tier.guest(settingsOf(wasm, { prepared: prepareModule(wasm, false), watchdogMs: 30_000 }));
    sendAll(one, came, ['a', 'stuck', 'b', 'c']);
    await until(() => came.length === 1, 'the first answer', DEADLINE_MS);
    // Before that the call would be nobody's fault.
    await until(() => runningOf(tier).status[StatusWord.begun] === 2, 'the call that is stuck', DEADLINE_MS);
    await runningOf(tier).worker.terminate();
    await until(() => came.length === 4, 'the answers', DEADLINE_MS);
    expect(came.map(({ name, cause }) => `${name} ${cause}`)).toEqual(['a null', 'stuck trap', 'b null', 'c null']);
  });

  it('answers what waits when it is closed', async () => {
    newTier(1);
    const one = tier.guest(settingsOf(await guest({ message: STUCK_ON_S }), { budget: MUCH_FUEL, watchdogMs: 10_000 }));
    sendAll(one, came, ['stuck', 'a']);
    await tier.close();
    expect(came.map(({ cause }) => cause)).toEqual(['unavailable', 'unavailable']);
  });
});

/** Writes an outbox with one record of four bytes, which are those at an address. */
function record(kind: number, from: number): string {
  return `(i32.store (i32.const ${OUTBOX_AT}) (i32.const ${kind})) (i32.store (i32.const ${OUTBOX_AT + 4}) (i32.const 4))
    (i32.store (i32.const ${OUTBOX_AT + 8}) (i32.load (i32.const ${from}))) (i32.store (i32.const ${CONTROL_AT + 16}) (i32.const 12))`;
}

/** The worker of the first thread, to be ended behind the tier's back. */
interface Running {
  worker: Worker;
  status: Int32Array;
}

function runningOf(tier: WorkerTier): Running {
  return (tier as unknown as { threads: { running: Running }[] }).threads[0].running;
}
