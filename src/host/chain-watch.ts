import { textOf } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import type { Message } from '../message/message.js';
import { Verdict } from '../sandbox/abi.js';
import type { Fault } from '../sandbox/fault.js';
import { FAULT } from '../sandbox/instance.js';
import type { Attachment } from './attachment.js';
import type { PluginTurn } from './turn.js';

const VERDICTS = ['pass', 'drop', 'replace', 'reject'];

/** What a plugin said of one message. */
export interface AttachmentCall {
  readonly attachment: Attachment;
  /** `pass`, `drop`, `replace`, `reject` or `fault`. */
  verdict: string;
  /** After a fault: what the attachment's definition has done with the message. */
  action: string | null;
  readonly fuel: number;
  /** Null when nobody knows how long it took. */
  readonly ns: number | null;
  /** When it ended, by the monotonic clock. */
  readonly endedNs: number;
  /** The subject that the plugin gave the message, or null. */
  subject: string | null;
  /** Of a reject. */
  code: number;
  text: string;
}

/** Looks over a chain's shoulder while it runs for one message. */
export class ChainWatch {
  private readonly clock: Clock;
  private calls: AttachmentCall[] = [];
  private message: Message | null = null;
  /** The fault of the attachment that was called last, as it was behind the call. */
  private fault: Fault | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** In the place of `attachment.call`. */
  call(attachment: Attachment, message: Message, turn: PluginTurn): number {
    this.settle();
    const startedNs = this.clock.monotonicNs();
    const verdict = attachment.call(message, turn);
    this.note(attachment, message, { verdict, ns: this.clock.monotonicNs() - startedNs });
    return verdict;
  }

  /** An attachment that works beside the event loop has answered, after so long; what it wrote is in its outbox. */
  answered(attachment: Attachment, message: Message, { verdict, ns }: { verdict: number; ns: number }): void {
    this.settle();
    this.note(attachment, message, { verdict, ns });
  }

  /** The attachment was not called, because of `attachment.fault`. */
  skipped(attachment: Attachment, message: Message): void {
    this.settle();
    this.note(attachment, message, { verdict: FAULT, ns: 0 });
  }

  /** What was seen since the last time. */
  take(): AttachmentCall[] {
    this.settle();
    const { calls } = this;
    this.calls = [];
    return calls;
  }

  private note(attachment: Attachment, message: Message, { verdict, ns }: { verdict: number; ns: number }): void {
    const call: AttachmentCall = {
      ...{ attachment, verdict: VERDICTS[verdict] ?? FAULTED, action: null, subject: null, code: 0, text: '' },
      ...{ fuel: attachment.fuelUsed, ns: ns < 0 ? null : ns, endedNs: this.clock.monotonicNs() },
    };
    this.message = message;
    this.fault = verdict === FAULT ? null : attachment.fault;
    this.calls.push(call);
    if (verdict === FAULT) return;
    const { outbox } = attachment;
    if (verdict === Verdict.reject) [call.code, call.text] = [outbox.code, outbox.error];
    if (verdict === Verdict.replace && outbox.subject !== null)
      call.subject = textOf(outbox.bytes, outbox.subject.start, outbox.subject.end);
  }

  /** What the last call wrote may have turned out to be a fault, too. To be called before another message comes to the attachment. */
  settle(): void {
    const { message } = this;
    this.message = null;
    const last = this.calls.at(-1);
    if (last === undefined || message === null || last.attachment.fault === this.fault) return;
    const { fault } = last.attachment;
    last.verdict = FAULTED;
    last.action = last.attachment.failureAction(message);
    last.subject = null;
    last.text = `${fault.cause}: ${fault.text}`;
  }
}

const FAULTED = 'fault';
