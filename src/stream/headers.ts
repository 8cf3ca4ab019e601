import { textOf, utf8 } from '../base/bytes.js';
import type { Message } from '../message/message.js';

/** Headers that the server itself reads or writes. */
export const HEADER = {
  msgId: 'Nats-Msg-Id',
  expectedStream: 'Nats-Expected-Stream',
  expectedLastSequence: 'Nats-Expected-Last-Sequence',
  expectedLastSubjectSequence: 'Nats-Expected-Last-Subject-Sequence',
  expectedLastSubjectSequenceSubject: 'Nats-Expected-Last-Subject-Sequence-Subject',
  expectedLastMsgId: 'Nats-Expected-Last-Msg-Id',
  rollup: 'Nats-Rollup',
  ttl: 'Nats-TTL',
  markerReason: 'Nats-Marker-Reason',
  increment: 'Nats-Incr',
  counterSources: 'Nats-Counter-Sources',
  batchId: 'Nats-Batch-Id',
  batchSequence: 'Nats-Batch-Sequence',
  batchCommit: 'Nats-Batch-Commit',
  schedule: 'Nats-Schedule',
  scheduleTarget: 'Nats-Schedule-Target',
  scheduleTtl: 'Nats-Schedule-TTL',
  scheduleSource: 'Nats-Schedule-Source',
  scheduleZone: 'Nats-Schedule-Time-Zone',
  scheduleRollup: 'Nats-Schedule-Rollup',
  scheduler: 'Nats-Scheduler',
  scheduleNext: 'Nats-Schedule-Next',
  streamSource: 'Nats-Stream-Source',
  streamIdentity: 'Nats-Stream-Identity',
  lastConsumer: 'Nats-Last-Consumer',
  lastStream: 'Nats-Last-Stream',
  consumerStalled: 'Nats-Consumer-Stalled',
  requiredApiLevel: 'Nats-Required-Api-Level',
} as const;

/** Values by name. */
export type Headers = ReadonlyMap<string, string>;

const NATS = [0x4e, 0x61, 0x74, 0x73, 0x2d]; // "Nats-"
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

/** The `Nats-…` headers of a message, the first of each name; null when there are none. Names are told apart by case. */
export function readHeaders({ bytes, headersStart, payloadStart }: Message): Headers | null {
  let found: Map<string, string> | null = null;
  for (let at = lineAfter(bytes, headersStart, payloadStart); at < payloadStart; ) {
    const next = lineAfter(bytes, at, payloadStart);
    if (NATS.every((byte, i) => bytes[at + i] === byte)) {
      const end = next - 2;
      const colon = bytes.indexOf(COLON, at);
      if (colon > 0 && colon < end) {
        found ??= new Map();
        const name = textOf(bytes, at, colon);
        if (!found.has(name)) found.set(name, textOf(bytes, colon + 1, end).trim());
      }
    }
    at = next;
  }
  return found;
}

/** Where the line behind the one at `at` begins. */
function lineAfter(bytes: Uint8Array, at: number, end: number): number {
  for (let i = at; i + 1 < end; i++) if (bytes[i] === CR && bytes[i + 1] === LF) return i + 2;
  return end;
}

/** A header block of these values. */
export function headerBlock(values: readonly (readonly [string, string | number])[]): Uint8Array {
  return utf8(`NATS/1.0\r\n${values.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
}

/** The block `old`, which may be empty, without the headers `removed` and with `added` at its end. */
export function changeHeaders(
  old: Uint8Array,
  removed: readonly string[],
  added: readonly (readonly [string, string | number])[],
): Uint8Array {
  const [first, ...lines] = textOf(old).split('\r\n');
  const kept = lines.filter((line) => line !== '' && !removed.includes(line.slice(0, line.indexOf(':'))));
  const all = [...kept, ...added.map(([name, value]) => `${name}: ${value}`)];
  if (all.length === 0) return new Uint8Array(0);
  return utf8(`${first || 'NATS/1.0'}\r\n${all.map((line) => `${line}\r\n`).join('')}\r\n`);
}

/** A status line and headers, without a payload: `status('404 No Messages')`. */
export function status(line: string, values: readonly (readonly [string, string | number])[] = []): Uint8Array {
  return utf8(`NATS/1.0 ${line}\r\n${values.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
}
