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
  readonly ns: number;
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
    this.note(attachment, message, { verdict, startedNs });
    return verdict;
  }

  /** The attachment was not called, because of `attachment.fault`. */
  skipped(attachment: Attachment, message: Message): void {
    this.settle();
    this.note(attachment, message, { verdict: FAULT, startedNs: this.clock.monotonicNs() });
  }

  /** What was seen since the last time. */
  take(): AttachmentCall[] {
    this.settle();
    const { calls } = this;
    this.calls = [];
    return calls;
  }

  private note(
    attachment: Attachment,
    message: Message,
    { verdict, startedNs }: { verdict: number; startedNs: number },
  ): void {
    const endedNs = this.clock.monotonicNs();
    const call: AttachmentCall = {
      ...{ attachment, verdict: VERDICTS[verdict] ?? FAULTED, action: null, subject: null, code: 0, text: '' },
      ...{ fuel: attachment.fuelUsed, ns: endedNs - startedNs, endedNs },
    };
    this.message = message;
    this.fault = verdict === FAULT ? null : attachment.fault;
    this.calls.push(call);
    if (verdict === FAULT || attachment.instance === null) return;
    const { outbox } = attachment.instance;
    if (verdict === Verdict.reject) [call.code, call.text] = [outbox.code, outbox.error];
    if (verdict === Verdict.replace && outbox.subject !== null)
      call.subject = textOf(outbox.bytes, outbox.subject.start, outbox.subject.end);
  }

  /** What the last call wrote may have turned out to be a fault, too. */
  private settle(): void {
    const last = this.calls.at(-1);
    if (last === undefined || this.message === null || last.attachment.fault === this.fault) return;
    const { fault } = last.attachment;
    last.verdict = FAULTED;
    last.action = last.attachment.failureAction(this.message);
    last.subject = null;
    last.text = `${fault.cause}: ${fault.text}`;
    this.message = null;
  }
}

const FAULTED = 'fault';
