// What a plugin imports: `import { Message, Verdict } from 'weir/plugin'`.
import { Buffer, copyBytes } from './memory';
import { RecordKind, record, setCode, textRecord, wasFull } from './outbox';

export { Entries } from './entries';
export { Json } from './json';
export { Keys, KEYS_MAX } from './keys';
export { Buffer } from './memory';
export { Message } from './message';
export { appendNumber } from './number';
export { Path } from './path';
export { Kind } from './tape';
export { NO_ROW, Table } from './table';
export { SubjectTemplate } from './template';
export { appendJsonBytes, appendJsonText } from './text';
export { Value } from './value';

/** What becomes of a message. */
export enum Verdict {
  /** Another mistake of the message or the plugin: a fault, see `fail`. */
  Fail = -1,
  /** It goes on as it came. */
  Pass,
  /** It ends here. */
  Drop,
  /** It goes on as it was changed. */
  Replace,
  /** Its publisher is told, see `reject`. */
  Reject,
}

/** Refuses the message: the publisher gets the code (400 to 599) and the text. */
export function reject(code: i32, text: string): Verdict {
  setCode(code);
  textRecord(RecordKind.Error, text);
  return Verdict.Reject;
}

/** The plugin cannot judge this message: the attachment's failure policy decides. */
export function fail(text: string): Verdict {
  textRecord(RecordKind.Error, text);
  return Verdict.Fail;
}

/** What an outbox without room comes to. */
export const TOO_MUCH: string = 'the plugin wrote more than its outbox holds';

let problem: string | null = null;

/** In `onInit`: refuses the configuration; in `onRestore`: the state; in `onEntry`: the entry. The first refusal counts. */
export function refuse(text: string): void {
  if (problem === null) problem = text;
}

/** For the contract: what `onInit` came to; 0 is accepted. */
export function endInit(): i32 {
  if (wasFull()) refuse(TOO_MUCH);
  if (problem === null) return 0;
  textRecord(RecordKind.Error, problem!);
  problem = null;
  return 1;
}

/** For the contract: what `onRestore` came to. */
export function endRestore(): i32 {
  return endInit() == 0 ? 0 : -1;
}

/** Publishes a further message when this one was delivered. Needs the grant `emit`. */
export function emit(subject: string, payload: string, reply: string = '', headers: string = ''): void {
  const parts = [subject, reply, headers, payload];
  let bytes: usize = 16;
  for (let i = 0; i < 4; i++) bytes += String.UTF8.byteLength(parts[i]);
  const start = record(RecordKind.Emit, bytes);
  if (start == 0) return;
  let at = start + 16;
  for (let i = 0; i < 4; i++) {
    const written = String.UTF8.encodeUnsafe(changetype<usize>(parts[i]), parts[i].length, at);
    store<u32>(start + (<usize>i << 2), <u32>written);
    at += written;
  }
}

/** The same of bytes that were put together in buffers, without reply and headers. */
export function emitBytes(subject: Buffer, payload: Buffer): void {
  const start = record(RecordKind.Emit, 16 + subject.length + payload.length);
  if (start == 0) return;
  store<u32>(start, <u32>subject.length);
  store<u32>(start, 0, 4);
  store<u32>(start, 0, 8);
  store<u32>(start, <u32>payload.length, 12);
  copyBytes(start + 16, subject.start, subject.length);
  copyBytes(start + 16 + subject.length, payload.start, payload.length);
}

/** Writes a line to the attachment's log. Needs the grant `log`. */
export namespace log {
  export function debug(text: string): void {
    write(0, text);
  }

  export function info(text: string): void {
    write(1, text);
  }

  export function warn(text: string): void {
    write(2, text);
  }

  export function error(text: string): void {
    write(3, text);
  }

  function write(level: u32, text: string): void {
    const at = record(RecordKind.Log, 4 + String.UTF8.byteLength(text));
    if (at == 0) return;
    store<u32>(at, level);
    String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, at + 4);
  }
}

/** Counts and measures. Needs the grant `metric`. */
export namespace metric {
  export function count(name: string, value: f64 = 1): void {
    write(0, name, value);
  }

  export function gauge(name: string, value: f64): void {
    write(1, name, value);
  }

  export function observe(name: string, value: f64): void {
    write(2, name, value);
  }

  function write(type: u32, name: string, value: f64): void {
    const at = record(RecordKind.Metric, 12 + String.UTF8.byteLength(name));
    if (at == 0) return;
    store<u32>(at, type);
    store<f64>(at, value, 4);
    String.UTF8.encodeUnsafe(changetype<usize>(name), name.length, at + 12);
  }
}
