import { keepMessage } from '../message/kept.js';
import type { Message } from '../message/message.js';
import type { Fault } from '../sandbox/fault.js';
import { FAULT } from '../sandbox/instance.js';
import type { Answer, Asked, Call } from '../workers/call.js';
import { CallKind } from '../workers/protocol.js';
import type { Attachment } from './attachment.js';
import { type Chain, ChainOutcome } from './chain.js';
import type { ChainWatch } from './chain-watch.js';
import { releaseReplaced } from './composer.js';

/**
 * A chain at work on one message, some of whose plugins work beside the event loop: it stops at each of them, and goes on with the answer. The message's
 * bytes stay as they are until `onDone`.
 */
export class ChainRun implements Call {
  readonly kind = CallKind.message;
  readonly data = null;
  guest!: Asked;
  /** The message as plugins left it so far. */
  frame: Message;
  wallMs = 0;
  decided = false;
  /** Whether all plugins were heard. */
  isDone = false;
  /** Of `ChainOutcome`; the message after `replace` is `frame`. */
  outcome: number = ChainOutcome.pass;
  rejectCode = 0;
  rejectText = '';
  /** Looks at every call: the message is traced. To be set before `start`. */
  watch: ChainWatch | null = null;
  private readonly chain: Chain;
  private readonly message: Message;
  private readonly onDone: () => void;
  private index = 0;
  private work = 0;
  /** The plugin that is being asked, and why it is not, when it is not. */
  private attachment: Attachment | null = null;
  private refusal: Fault | null = null;
  /** Whether `frame` lies in a sheet of the composer. */
  private composed = false;

  constructor(chain: Chain, message: Message, onDone: () => void) {
    this.chain = chain;
    this.message = message;
    this.frame = message;
    this.onDone = onDone;
  }

  /** One that is done: there is no room for the message before the plugins that work beside the event loop. */
  static refused(chain: Chain, message: Message, watch: ChainWatch | null = null): ChainRun {
    const run = new ChainRun(chain, message, () => {});
    chain.watch = watch;
    const outcome = chain.refuse(message, 'too many messages wait for its worker already');
    chain.watch = null;
    run.finish(outcome);
    return run;
  }

  get timed(): boolean {
    return this.watch !== null;
  }

  start(): void {
    this.goOn();
  }

  onAnswer(answer: Answer): void {
    const attachment = this.attachment!;
    const { frame, refusal } = this;
    let verdict = FAULT;
    if (this.decided) attachment.skip(refusal!);
    else verdict = attachment.answered(answer, frame.payloadEnd - frame.subjectStart);
    if (this.watch !== null) this.note(this.watch, verdict, answer.ns);
    if (attachment.shadow !== null) attachment.shadow.compare(attachment, frame, { verdict, now: this });
    if (this.take(attachment, verdict)) this.goOn();
  }

  /** Another version took over before the plugin was asked: that one is, wherever it works. */
  movedTo(attachment: Attachment): void {
    if (this.hear(attachment)) this.goOn();
  }

  /** Gives back what the message after `replace` lies in. */
  release(): void {
    if (this.composed) releaseReplaced(this.frame);
    this.composed = false;
  }

  private goOn(): void {
    const { attachments } = this.chain;
    while (this.index < attachments.length) {
      if (!this.hear(attachments[this.index++])) return;
    }
    this.finish(this.frame === this.message ? ChainOutcome.pass : ChainOutcome.replace);
  }

  /** Calls whatever runs in its place by now; false when that was the end, or its answer comes later. */
  private hear(named: Attachment): boolean {
    const attachment = named.current();
    if (attachment === null) return true;
    if (attachment.seat !== null) {
      this.ask(attachment);
      return false;
    }
    this.chain.watch = this.watch;
    const verdict = this.chain.call(attachment, this.frame, this.work);
    this.chain.watch = null;
    this.work += attachment.work;
    return this.take(attachment, verdict);
  }

  private note(watch: ChainWatch, verdict: number, ns: number): void {
    if (this.decided) watch.skipped(this.attachment!, this.frame);
    else watch.answered(this.attachment!, this.frame, { verdict, ns });
  }

  private ask(attachment: Attachment): void {
    this.attachment = attachment;
    this.wallMs = this.chain.wallMs;
    this.refusal = attachment.refusalOf(this.frame, this);
    this.decided = this.refusal !== null;
    // Sheets are few, and this may take a while.
    if (this.composed) {
      const sheet = this.frame;
      this.frame = keepMessage(sheet);
      releaseReplaced(sheet);
      this.composed = false;
    }
    attachment.seat!.call(this);
  }

  /** Does what a verdict comes to; false when that is the end. */
  private take(attachment: Attachment, verdict: number): boolean {
    const before = this.frame;
    const next = this.chain.apply(attachment, before, verdict);
    // Others' messages may come to the attachment before this one goes on.
    if (this.watch !== null) this.watch.settle();
    // bypass-chain: the message goes on past the rest.
    if (next === ChainOutcome.pass) {
      this.finish(before === this.message ? ChainOutcome.pass : ChainOutcome.replace);
      return false;
    }
    if (typeof next === 'number') {
      this.release();
      this.finish(next);
      return false;
    }
    if (next !== before) {
      this.release();
      this.frame = next;
      this.composed = true;
    }
    return true;
  }

  private finish(outcome: number): void {
    this.outcome = outcome;
    this.rejectCode = this.chain.rejectCode;
    this.rejectText = this.chain.rejectText;
    this.isDone = true;
    this.onDone();
  }
}
