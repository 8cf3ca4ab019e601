import type { Message } from '../message/message.js';
import type { Fault } from '../sandbox/fault.js';
import { FAULT, type WallTime } from '../sandbox/instance.js';
import { type EmitRecord, Outbox, type Range } from '../sandbox/outbox.js';
import type { Answer, Asked, Call } from '../workers/call.js';
import { outboxBytes, writeOutbox } from '../workers/outbox-writer.js';
import { CallKind } from '../workers/protocol.js';
import type { Attachment } from './attachment.js';

const SAMPLES_MAX = 16;
const PART_BYTES_MAX = 4096;
const VERDICTS = ['pass', 'drop', 'replace', 'reject'];

/** A message that two versions judge differently. Parts are text; what is not UTF-8 is lost in it. */
export interface Difference {
  subject: string;
  payload: string;
  active: string;
  candidate: string;
}

/** A version that runs beside the one at work: it sees the same messages, nothing comes of what it says, and differences are counted. */
export class Shadow {
  readonly candidate: Attachment;
  same = 0;
  different = 0;
  readonly samples: Difference[] = [];

  constructor(candidate: Attachment) {
    this.candidate = candidate;
  }

  /** Calls the candidate on what the active one was just called on. */
  compare(active: Attachment, message: Message, { verdict, now }: { verdict: number; now: WallTime }): void {
    const { candidate } = this;
    if (candidate.seat !== null) {
      this.compareBeside(active, message, { verdict, now });
      return;
    }
    const found = candidate.call(message, now);
    if (found !== FAULT) candidate.succeed();
    this.judge(message, wordsOf(active, verdict), wordsOf(candidate, found));
  }

  /** Asks the candidate in its worker: what the active one said is kept until it has answered. One that falls behind does not see every message. */
  private compareBeside(
    active: Attachment,
    message: Message,
    { verdict, now }: { verdict: number; now: WallTime },
  ): void {
    const { candidate } = this;
    if (candidate.seat!.isFull || candidate.refusalOf(message, now) !== null) return;
    const said = wordsOf(active, verdict);
    const kept: Words = {
      ...said,
      fault: { ...said.fault },
      outbox: said.outbox === null ? null : copyOf(said.outbox),
    };
    const onAnswer = (answer: Answer) => {
      const found = candidate.answered(answer, message.payloadEnd - message.subjectStart);
      if (found !== FAULT) candidate.succeed();
      this.judge(message, kept, wordsOf(candidate, found));
    };
    candidate.seat!.call(new ShadowCall(message, now.wallMs, onAnswer));
  }

  private judge(message: Message, active: Words, candidate: Words): void {
    if (
      candidate.verdict === active.verdict &&
      (active.verdict === FAULT || sameOutboxes(active.outbox, candidate.outbox))
    ) {
      this.same++;
      return;
    }
    this.different++;
    if (this.samples.length === SAMPLES_MAX) return;
    const { bytes, subjectStart, subjectEnd, payloadStart, payloadEnd } = message;
    this.samples.push({
      subject: textOf(bytes, { start: subjectStart, end: subjectEnd }),
      payload: textOf(bytes, { start: payloadStart, end: payloadEnd }),
      active: outcomeText(active),
      candidate: outcomeText(candidate),
    });
  }
}

/** What a version said of a message. */
interface Words {
  verdict: number;
  fault: Fault;
  /** Null after a fault. */
  outbox: Outbox | null;
}

function wordsOf(attachment: Attachment, verdict: number): Words {
  return { verdict, fault: attachment.fault, outbox: verdict === FAULT ? null : attachment.outbox };
}

/** An outbox with bytes of its own. */
function copyOf(outbox: Outbox): Outbox {
  const bytes = new Uint8Array(outboxBytes(outbox));
  const words = new DataView(bytes.buffer);
  const copy = new Outbox();
  const length = writeOutbox({ bytes, view: words }, 0, outbox);
  if (length > 0) copy.read({ bytes, words }, 0, length);
  copy.code = outbox.code;
  return copy;
}

/** A message to a candidate in a worker. */
class ShadowCall implements Call {
  readonly kind = CallKind.message;
  readonly data = null;
  readonly decided = false;
  readonly timed = false;
  guest!: Asked;
  readonly frame: Message;
  readonly wallMs: number;
  readonly onAnswer: (answer: Answer) => void;

  constructor(frame: Message, wallMs: number, onAnswer: (answer: Answer) => void) {
    this.frame = frame;
    this.wallMs = wallMs;
    this.onAnswer = onAnswer;
  }
}

function sameOutboxes(a: Outbox | null, b: Outbox | null): boolean {
  if (a === null || b === null) return true;
  if (a.code !== b.code || a.error !== b.error || a.emits.length !== b.emits.length) return false;
  const parts = [
    [a.subject, b.subject],
    [a.reply, b.reply],
    [a.headers, b.headers],
    [a.payload, b.payload],
  ] as const;
  if (!parts.every(([left, right]) => sameBytes(a, left, b, right))) return false;
  return a.emits.every((emit, i) => sameEmits(a, emit, b, b.emits[i]));
}

function sameEmits(a: Outbox, one: EmitRecord, b: Outbox, other: EmitRecord): boolean {
  const kinds = ['subject', 'reply', 'headers', 'payload'] as const;
  return kinds.every((kind) => sameBytes(a, one[kind], b, other[kind]));
}

function sameBytes(a: Outbox, one: Range | null, b: Outbox, other: Range | null): boolean {
  if (one === null || other === null) return one === other;
  const left = Buffer.from(a.bytes.buffer, a.bytes.byteOffset + one.start, one.end - one.start);
  return left.equals(b.bytes.subarray(other.start, other.end));
}

function outcomeText({ fault, verdict, outbox }: Words): string {
  if (outbox === null) return `${fault.cause}: ${fault.text}`;
  const parts = (['subject', 'reply', 'headers', 'payload'] as const)
    .filter((part) => outbox[part] !== null)
    .map((part) => ` ${part} ${JSON.stringify(textOf(outbox.bytes, outbox[part]!))}`);
  const said = verdict === 3 ? ` ${outbox.code} ${JSON.stringify(outbox.error)}` : '';
  const emits = outbox.emits.length > 0 ? ` and ${outbox.emits.length} emits` : '';
  return `${VERDICTS[verdict]}${said}${parts.join('')}${emits}`;
}

function textOf(bytes: Uint8Array, { start, end }: Range): string {
  const cut = end - start > PART_BYTES_MAX;
  const text = Buffer.from(bytes.subarray(start, cut ? start + PART_BYTES_MAX : end)).toString('utf8');
  return cut ? `${text}…` : text;
}
