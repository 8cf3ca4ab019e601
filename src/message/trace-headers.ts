import { textOf, utf8 } from '../base/bytes.js';
import type { Message } from './message.js';
import { isTraceParentSampled } from './sampling-headers.js';

/** What a message says about being traced. */
export interface TraceHeaders {
  /** All of its headers, in their own case, as a trace shows them. */
  readonly all: Readonly<Record<string, string[]>>;
  /** Where the trace goes; empty when only a `traceparent` asks for one: then the account says where. */
  readonly dest: string;
  /** Nothing is delivered. */
  readonly only: boolean;
  /** An older form of tracing, which is refused. */
  readonly originAccount: string;
}

const DEST = 'Nats-Trace-Dest';
/** No subject: it stands in messages that go on and are not to be traced any further. */
const DISABLED = 'trace disabled';

const LF = 0x0a;
const COLON = 0x3a;
const LETTER_N = 0x4e;
const LETTER_T = 0x54;
const LETTER_LOW_R = 0x72;
const LETTER_LOW_T = 0x74;
/** Where these stand in `Nats-Trace-…` and `traceparent:`. */
const TRACE_AT = 5;
const PARENT_COLON_AT = 11;

/** Eleven letters each, of which every eighth place of a message meets four in a row. */
const SOUGHT = ['traceparent', '-trace-dest'];
const STRIDE = 8;
/** Sets the letters' case aside. */
const LOWER = 0x20202020;
const HASH_SHIFT = 26;
/** All words of four letters that may be met, by their hash, which no two of them share. */
const marks = new Int32Array(1 << (32 - HASH_SHIFT));
for (const name of SOUGHT) {
  for (let i = 0; i < STRIDE; i++) {
    const word = new DataView(Uint8Array.from(utf8(name.slice(i, i + 4))).buffer).getInt32(0, true) | LOWER;
    marks[hashOf(word)] = word;
  }
}

function hashOf(word: number): number {
  return Math.imul(word, 0x9e3779b1) >>> HASH_SHIFT;
}

/** A quick look at what only few messages have (bench: headers-128); `readTraceHeaders` says for certain. */
export function mayAskForTrace(message: Message): boolean {
  const { words, headersStart, payloadStart } = message;
  for (let at = headersStart; at < payloadStart; at += STRIDE) {
    const word = words.getInt32(at, true) | LOWER;
    if (marks[hashOf(word)] === word) return hasTraceHeader(message);
  }
  return false;
}

/** Looks at the beginning of each line. */
function hasTraceHeader({ bytes, headersStart, payloadStart }: Message): boolean {
  let at = headersStart;
  while (at < payloadStart) {
    const letter = bytes[at];
    if (letter === LETTER_N && bytes[at + TRACE_AT] === LETTER_T && bytes[at + TRACE_AT + 1] === LETTER_LOW_R)
      return true;
    if ((letter | 0x20) === LETTER_LOW_T && bytes[at + PARENT_COLON_AT] === COLON) return true;
    while (at < payloadStart && bytes[at] !== LF) at++;
    at++;
  }
  return false;
}

/** Null when the message is not to be traced. */
export function readTraceHeaders({ bytes, headersStart, payloadStart }: Message): TraceHeaders | null {
  const all: Record<string, string[]> = Object.create(null);
  let sampled = false;
  for (const line of textOf(bytes, headersStart, payloadStart).split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1).trim();
    if (colon <= 0 || value === '') continue;
    const name = line.slice(0, colon);
    if (name === DEST && value === DISABLED) return null;
    if (name.toLowerCase() === 'traceparent') sampled ||= isTraceParentSampled(value);
    (all[name] ??= []).push(value);
  }
  const first = (name: string) => all[name]?.[0] ?? '';
  const dest = first(DEST);
  if (dest === '' && !sampled) return null;
  return {
    all,
    dest,
    only: dest !== '' && ['1', 'true', 'on'].includes(first('Nats-Trace-Only').toLowerCase()),
    originAccount: first('Nats-Trace-Origin-Account'),
  };
}

/** The header block of a message that goes on without its trace. */
export function untracedHeaders(headers: Uint8Array): Uint8Array {
  const lines = textOf(headers).slice(0, -2).split('\r\n');
  const kept = lines.filter((line) => !line.startsWith(`${DEST}:`));
  return utf8(`${kept.join('\r\n')}${DEST}: ${DISABLED}\r\n\r\n`);
}
