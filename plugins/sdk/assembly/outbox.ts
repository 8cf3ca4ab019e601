// The records that a call leaves for the host (docs/plugin-abi.md).
import { CONTROL } from './memory';

export enum RecordKind {
  Subject = 1,
  Headers,
  Payload,
  Emit,
  Log,
  Metric,
  Error,
  Reply,
  State,
}

const LENGTH_WORD: usize = 16;
const CODE_WORD: usize = 20;

/** Whether a record found no room. */
let isFull: bool = false;

/** Room for a record's body of so many bytes: its address, or 0 when there is none. */
export function record(kind: RecordKind, bytes: usize): usize {
  const used = (<usize>load<u32>(CONTROL, LENGTH_WORD) + 3) & ~3;
  if (<u64>used + 8 + bytes > <u64>load<u32>(CONTROL, 12)) {
    isFull = true;
    return 0;
  }
  const at = <usize>load<u32>(CONTROL, 8) + used;
  store<u32>(at, <u32>kind);
  store<u32>(at, <u32>bytes, 4);
  store<u32>(CONTROL, <u32>(used + 8 + bytes), LENGTH_WORD);
  return at + 8;
}

/** A record whose body is a text. */
export function textRecord(kind: RecordKind, text: string): void {
  const at = record(kind, String.UTF8.byteLength(text));
  if (at != 0) String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, at);
}

/** The status code of a reject. */
export function setCode(code: i32): void {
  store<u32>(CONTROL, <u32>code, CODE_WORD);
}

/** Whether a record of this call found no room: then the outbox is emptied, for the error alone. */
export function wasFull(): bool {
  if (!isFull) return false;
  isFull = false;
  store<u32>(CONTROL, 0, LENGTH_WORD);
  return true;
}
