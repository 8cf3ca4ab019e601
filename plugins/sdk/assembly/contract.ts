// The contract's side of the SDK: used by entry.ts alone.
import { setText } from './document';
import { Json } from './json';
import { Buffer, copyBytes, inboxStart } from './memory';
import { json, Message, message } from './message';
import { RecordKind, record, wasFull } from './outbox';
import { endInit, endRestore, fail, TOO_MUCH, Verdict } from './plugin';

export { openFrame } from './memory';

const STATE: Buffer = new Buffer();

/** The configuration, as it lies in the inbox. */
export function beginInit(bytes: u32): Json {
  setText(inboxStart(), inboxStart() + bytes);
  return json;
}

export { endInit, endRestore };

/** The key of an entry of the table, as it lies in the inbox. */
export function entryKey(keyBytes: u32): string {
  return String.UTF8.decodeUnsafe(inboxStart(), keyBytes);
}

/** Its value, which lies behind the key; null for an entry that was removed. */
export function entryValue(keyBytes: u32, valueBytes: i32): Json | null {
  if (valueBytes < 0) return null;
  const start = inboxStart() + keyBytes;
  setText(start, start + <usize>valueBytes);
  return json;
}

// @ts-ignore: decorator
@inline
export function current(): Message {
  return message;
}

/** The verdict as the host wants it; changes are written for `Replace`. */
// @ts-ignore: decorator
@inline
export function end(verdict: Verdict): i32 {
  if (verdict == Verdict.Replace) {
    // What holds no strings is done without those: they cost as much as all the rest.
    if (message.isTouched) return endReplace();
    message.writeJson();
  }
  return wasFull() ? fail(TOO_MUCH) : verdict;
}

function endReplace(): i32 {
  const mistake = message.writeChanges();
  if (mistake !== null) return fail(`the plugin writes ${mistake}`);
  return wasFull() ? fail(TOO_MUCH) : Verdict.Replace;
}

/** For calls that are not messages: 0, or negative when the outbox was too small for what they wrote. */
export function endCall(): i32 {
  return wasFull() ? fail(TOO_MUCH) : 0;
}

/** Hands over a state: 0, or how many bytes of it found no room. */
export function saveText(state: string): i32 {
  const bytes = String.UTF8.byteLength(state);
  const at = record(RecordKind.State, bytes);
  if (at == 0) {
    wasFull();
    return bytes;
  }
  String.UTF8.encodeUnsafe(changetype<usize>(state), state.length, at);
  return 0;
}

/** An empty buffer for a state. */
export function stateBuffer(): Buffer {
  STATE.length = 0;
  return STATE;
}

/** Hands over what is in it: 0, or how many bytes of it found no room. */
export function saveBytes(): i32 {
  const at = record(RecordKind.State, STATE.length);
  if (at == 0) {
    wasFull();
    return <i32>STATE.length;
  }
  copyBytes(at, STATE.start, STATE.length);
  return 0;
}

/** Where a state lies in the inbox. */
export function savedStart(): usize {
  return inboxStart();
}

/** A state, as it lies in the inbox. */
export function savedText(bytes: u32): string {
  return String.UTF8.decodeUnsafe(inboxStart(), bytes);
}
