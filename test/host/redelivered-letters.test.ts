import { expect, it } from 'vitest';
import { EmitQueue } from '../../src/host/emit-queue.js';
import { FailureLog } from '../../src/host/failure-log.js';
import { composeMessage } from '../../src/message/message.js';

const message = (bytes: number) =>
  composeMessage({ subject: Buffer.from('a'), reply: null, headers: null, payload: new Uint8Array(bytes) });

it('wait where they are when there is no room for them', () => {
  const failures = new FailureLog();
  const emits = new EmitQueue();
  const deliver = () =>
    failures.take(
      100,
      (letter) => emits.hasRoomFor(letter),
      (letter) => emits.push(letter, false),
    );
  for (let i = 0; i < 3; i++) failures.keep(message(10));
  // Nearly all of the queue's 64 MiB.
  emits.push(message(64 * 1024 * 1024 - 30), false);
  expect(deliver()).toBe(2);
  expect(failures.letterCount).toBe(1);
  expect(emits.lost).toBe(0);
  expect(deliver()).toBe(0);
  while (emits.shift() !== undefined);
  expect(deliver()).toBe(1);
  expect(failures.letterCount).toBe(0);
});
