import { RECORD_HEAD_BYTES, RecordKind } from '../sandbox/abi.js';
import type { EmitRecord, Outbox, Range } from '../sandbox/outbox.js';

/** Where records are written: a ring, or bytes of their own. */
export interface Target {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Bytes that `writeOutbox` needs: an upper bound. */
export function outboxBytes(outbox: Outbox): number {
  if (outbox.isEmpty) return 0;
  const { subject, reply, headers, payload, state, error, emits, logs, metrics } = outbox;
  let bytes = 0;
  for (const range of [subject, reply, headers, payload, state]) if (range !== null) bytes += sized(lengthOf(range));
  if (error !== '') bytes += sized(error.length * 3);
  for (const emit of emits) bytes += sized(16 + emitBytes(emit));
  for (const { text } of logs) bytes += sized(4 + text.length * 3);
  for (const { name } of metrics) bytes += sized(12 + name.length * 3);
  return bytes;
}

/**
 * Writes what a call said in the records of `docs/plugin-abi.md`, whoever said it: a guest in its own outbox, or glue that has none. Returns where
 * they end.
 */
export function writeOutbox(target: Target, start: number, outbox: Outbox): number {
  let at = start;
  if (outbox.isEmpty) return at;
  const { bytes, subject, reply, headers, payload, state } = outbox;
  if (subject !== null) at = writeRange(target, at, RecordKind.subject, bytes, subject);
  if (reply !== null) at = writeRange(target, at, RecordKind.reply, bytes, reply);
  if (headers !== null) at = writeRange(target, at, RecordKind.headers, bytes, headers);
  if (payload !== null) at = writeRange(target, at, RecordKind.payload, bytes, payload);
  if (state !== null) at = writeRange(target, at, RecordKind.state, bytes, state);
  if (outbox.error !== '') at = writeText(target, at, { kind: RecordKind.error, headBytes: 0, text: outbox.error });
  for (const emit of outbox.emits) at = writeEmit(target, at, bytes, emit);
  for (const { level, text } of outbox.logs) {
    target.view.setUint32(at + RECORD_HEAD_BYTES, level, true);
    at = writeText(target, at, { kind: RecordKind.log, headBytes: 4, text });
  }
  for (const { type, name, value } of outbox.metrics) {
    target.view.setUint32(at + RECORD_HEAD_BYTES, type, true);
    target.view.setFloat64(at + RECORD_HEAD_BYTES + 4, value, true);
    at = writeText(target, at, { kind: RecordKind.metric, headBytes: 12, text: name });
  }
  return at;
}

function writeRange(target: Target, at: number, kind: number, source: Uint8Array, { start, end }: Range): number {
  target.bytes.set(source.subarray(start, end), at + RECORD_HEAD_BYTES);
  return writeHead(target, at, kind, end - start);
}

/** The four parts of an emit lie next to each other, as the records say. */
function writeEmit(target: Target, at: number, source: Uint8Array, emit: EmitRecord): number {
  const parts = [emit.subject, emit.reply, emit.headers, emit.payload];
  let to = at + RECORD_HEAD_BYTES + 16;
  parts.forEach(({ start, end }, i) => {
    target.view.setUint32(at + RECORD_HEAD_BYTES + i * 4, end - start, true);
    target.bytes.set(source.subarray(start, end), to);
    to += end - start;
  });
  return writeHead(target, at, RecordKind.emit, 16 + emitBytes(emit));
}

function writeText(
  target: Target,
  at: number,
  { kind, headBytes, text }: { kind: number; headBytes: number; text: string },
): number {
  const bytes = Buffer.from(text, 'utf8');
  target.bytes.set(bytes, at + RECORD_HEAD_BYTES + headBytes);
  return writeHead(target, at, kind, headBytes + bytes.length);
}

function writeHead({ view }: Target, at: number, kind: number, length: number): number {
  view.setUint32(at, kind, true);
  view.setUint32(at + 4, length, true);
  return at + sized(length);
}

function emitBytes({ subject, reply, headers, payload }: EmitRecord): number {
  return lengthOf(subject) + lengthOf(reply) + lengthOf(headers) + lengthOf(payload);
}

function lengthOf({ start, end }: Range): number {
  return end - start;
}

/** A record's bytes with its head; the next one begins at a multiple of 4. */
function sized(length: number): number {
  return RECORD_HEAD_BYTES + ((length + 3) & -4);
}
