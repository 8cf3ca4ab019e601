import type { Message } from '../message/message.js';
import { FAULT, type WallTime } from '../sandbox/instance.js';
import type { EmitRecord, Outbox, Range } from '../sandbox/outbox.js';
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
    const found = candidate.call(message, now);
    if (found !== FAULT) candidate.succeed();
    if (found === verdict && (found === FAULT || sameOutboxes(active, candidate))) {
      this.same++;
      return;
    }
    this.different++;
    if (this.samples.length === SAMPLES_MAX) return;
    const { bytes, subjectStart, subjectEnd, payloadStart, payloadEnd } = message;
    this.samples.push({
      subject: textOf(bytes, { start: subjectStart, end: subjectEnd }),
      payload: textOf(bytes, { start: payloadStart, end: payloadEnd }),
      active: outcomeText(active, verdict),
      candidate: outcomeText(candidate, found),
    });
  }
}

function sameOutboxes({ instance: one }: Attachment, { instance: other }: Attachment): boolean {
  if (one === null || other === null) return true;
  const [a, b] = [one.outbox, other.outbox];
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

function outcomeText({ fault, instance }: Attachment, verdict: number): string {
  if (verdict === FAULT || instance === null) return `${fault.cause}: ${fault.text}`;
  const { outbox } = instance;
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
