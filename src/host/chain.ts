import { composeMessage, hashSubject, Message } from '../message/message.js';
import { Verdict } from '../sandbox/abi.js';
import { FAULT } from '../sandbox/instance.js';
import type { Outbox, Range } from '../sandbox/outbox.js';
import { isLiteralSubjectBytes } from '../subject/subject.js';
import type { Attachment } from './attachment.js';
import { deadLetter } from './dead-letter.js';
import type { Effects } from './effects.js';
import { isHeaderBlock } from './headers.js';

/** What became of a message. */
export const ChainOutcome = { pass: 0, drop: 1, replace: 2, reject: 3 } as const;

/** The attachments that match one subject, in order. Runs synchronously; a message that passes costs no allocation. */
export class Chain {
  readonly attachments: readonly Attachment[];
  /** The message as the plugins left it, after `replace`; valid until the next run. */
  replaced = new Message();
  /** After `reject`. */
  rejectCode = 0;
  rejectText = '';
  private readonly effects: Effects;

  constructor(attachments: readonly Attachment[], effects: Effects) {
    this.attachments = attachments;
    this.effects = effects;
  }

  /** Runs every attachment; each sees what the one before left. */
  run(message: Message): number {
    let current = message;
    for (let i = 0; i < this.attachments.length; i++) {
      const attachment = this.attachments[i];
      const verdict = attachment.call(current);
      if (verdict === Verdict.pass && attachment.instance!.outbox.emits.length === 0 && !this.effects.any(attachment)) {
        attachment.counters.passed++;
        continue;
      }
      const next = this.apply(attachment, current, verdict);
      if (typeof next === 'number') {
        if (next !== ChainOutcome.pass) return next;
        break; // bypass-chain: the message goes on past the rest.
      }
      current = next;
    }
    if (current === message) return ChainOutcome.pass;
    this.replaced = current;
    return ChainOutcome.replace;
  }

  /** The message to go on with, or the outcome that ends the run. */
  private apply(attachment: Attachment, message: Message, verdict: number): Message | number {
    if (verdict === FAULT) return this.onFault(attachment, message);
    const { outbox } = attachment.instance!;
    const problem = this.effects.apply(attachment, message, outbox);
    if (problem !== null) {
      attachment.fail(problem);
      return this.onFault(attachment, message);
    }
    const observing = attachment.phase === 'observe';
    switch (observing ? Verdict.pass : verdict) {
      case Verdict.drop:
        attachment.counters.dropped++;
        return ChainOutcome.drop;
      case Verdict.reject:
        attachment.counters.rejected++;
        return this.reject(outbox.code, outbox.error || `rejected by ${attachment.name}`);
      case Verdict.replace:
        return this.replace(attachment, message, outbox);
      default:
        attachment.counters.passed++;
        return message;
    }
  }

  private replace(attachment: Attachment, message: Message, outbox: Outbox): Message | number {
    const made = this.compose(message, outbox);
    if (typeof made === 'string') {
      attachment.fail({ cause: 'output', text: made });
      return this.onFault(attachment, message);
    }
    attachment.counters.replaced++;
    attachment.counters.bytesOut += made.payloadEnd - made.headersStart;
    return made;
  }

  /** The message with the outbox's parts in place of its own, or what is wrong with them. */
  private compose(message: Message, outbox: Outbox): Message | string {
    const take = (range: Range | null, start: number, end: number) =>
      range === null ? message.bytes.subarray(start, end) : outbox.bytes.subarray(range.start, range.end);
    const subject = take(outbox.subject, message.subjectStart, message.subjectEnd);
    const reply = take(outbox.reply, message.replyStart, message.replyEnd);
    const headers = take(outbox.headers, message.headersStart, message.payloadStart);
    const payload = take(outbox.payload, message.payloadStart, message.payloadEnd);
    if (outbox.subject !== null && !isLiteralSubjectBytes(subject, 0, subject.length)) {
      return `the new subject ${JSON.stringify(Buffer.from(subject).toString())} is not a valid subject`;
    }
    if (outbox.reply !== null && reply.length > 0 && !isLiteralSubjectBytes(reply, 0, reply.length)) {
      return `the new reply subject ${JSON.stringify(Buffer.from(reply).toString())} is not a valid subject`;
    }
    if (outbox.headers !== null && headers.length > 0 && !isHeaderBlock(headers, 0, headers.length)) {
      return 'the new headers are not a block "NATS/1.0\\r\\n…\\r\\n\\r\\n"';
    }
    const limit = this.effects.payloadBytesMax();
    if (headers.length + payload.length > limit) {
      return `the new message has ${headers.length + payload.length} bytes; at most ${limit} are allowed`;
    }
    const made = composeMessage({ subject, reply, headers, payload }, message.hops);
    made.subjectHash = hashSubject(made.bytes, made.subjectStart, made.subjectEnd);
    return made;
  }

  private onFault(attachment: Attachment, message: Message): Message | number {
    switch (attachment.failureAction(message)) {
      case 'pass':
        return message;
      case 'bypass-chain':
        return ChainOutcome.pass;
      case 'drop':
        return ChainOutcome.drop;
      case 'reject': {
        const { cause } = attachment.fault;
        return this.reject(500, `plugin ${attachment.declaration.plugin} failed (${cause})`);
      }
      default:
        this.effects.emits.push(deadLetter(attachment, message), true);
        return ChainOutcome.drop;
    }
  }

  private reject(code: number, text: string): number {
    this.rejectCode = code;
    this.rejectText = text;
    return ChainOutcome.reject;
  }
}
