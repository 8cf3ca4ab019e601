import { CONTROL_AT, guest, INBOX_AT, OUTBOX_AT } from '../hostile/guest.js';
import type { Stage } from './stage.js';

/** Writes what is given as a record of four bytes. */
function write(kind: number, value: string): string {
  return `
    (i32.store (i32.const ${OUTBOX_AT}) (i32.const ${kind}))
    (i32.store (i32.const ${OUTBOX_AT + 4}) (i32.const 4))
    (i32.store (i32.const ${OUTBOX_AT + 8}) ${value})
    (i32.store (i32.const ${CONTROL_AT + 16}) (i32.const 12))`;
}

const TAKE_ON = `(global.set $count (i32.load (i32.const ${INBOX_AT}))) i32.const 0`;
const COUNT = '(global.get $count)';
const firstIs = (letter: string) => `(i32.eq (i32.load8_u (local.get 6)) (i32.const ${letter.charCodeAt(0)}))`;

/**
 * Counts messages, adds `step` for each, and answers the count as payload of four bytes; keeps it as its state. Traps at a
 * payload that begins with "t", and does not come back from one that begins with "s".
 */
export function countingGuest({ step = 1, restore = TAKE_ON } = {}): Promise<Uint8Array> {
  return guest({
    extra: `(global $count (mut i32) (i32.const 0))
      (func (export "weir_save") (result i32) ${write(9, COUNT)} i32.const 0)
      (func (export "weir_restore") (param i32) (result i32) ${restore})`,
    message: `
      (if ${firstIs('t')} (then unreachable))
      (if ${firstIs('s')} (then (loop (br 0))))
      (global.set $count (i32.add ${COUNT} (i32.const ${step}))) ${write(3, COUNT)} i32.const 2`,
  });
}

/** Replaces the payload by the number of its call, a digit. */
export function digitGuest(): Promise<Uint8Array> {
  return guest({
    extra: '(global $count (mut i32) (i32.const 48))',
    message: `
      (global.set $count (i32.add ${COUNT} (i32.const 1))) ${write(3, COUNT)}
      (i32.store (i32.const ${OUTBOX_AT + 4}) (i32.const 1))
      (i32.store (i32.const ${CONTROL_AT + 16}) (i32.const 9))
      i32.const 2`,
  });
}

/** Appends a number to the payload: who processed a message can be read from it, and how often. */
export function numberingGuest(number: number): Promise<Uint8Array> {
  return guest({
    message: `
      (i32.store (i32.const ${OUTBOX_AT}) (i32.const 3))
      (i32.store (i32.const ${OUTBOX_AT + 4}) (i32.add (local.get 7) (i32.const 4)))
      (memory.copy (i32.const ${OUTBOX_AT + 8}) (local.get 6) (local.get 7))
      (i32.store (i32.add (i32.const ${OUTBOX_AT + 8}) (local.get 7)) (i32.const ${number}))
      (i32.store (i32.const ${CONTROL_AT + 16}) (i32.add (local.get 7) (i32.const 12)))
      i32.const 2`,
  });
}

/** The number that guests of these tests write, the one at byte `at`. */
export function numberIn(data: Uint8Array, at = 0): number {
  return new DataView(data.buffer, data.byteOffset, data.length).getUint32(at, true);
}

/** What the counting guest that is attached as "count" makes of these letters, each of them a message. */
export async function countsOf(stage: Stage, letters: string): Promise<number[]> {
  const arrived = await stage.listen('count.in');
  for (const letter of letters) stage.client.publish('count.in', letter);
  await stage.client.flush();
  return arrived.map(({ data }) => numberIn(data));
}
