import { Message } from '../message/message.js';
import { Verdict } from '../sandbox/abi.js';
import type { Fault } from '../sandbox/fault.js';
import { FAULT } from '../sandbox/instance.js';
import type { Outbox } from '../sandbox/outbox.js';
import type { Attachment } from './attachment.js';
import type { ChainWatch } from './chain-watch.js';
import { composeReplaced, releaseReplaced } from './composer.js';
import { deadLetter } from './dead-letter.js';
import type { Effects } from './effects.js';
import { isHeaderBlock, singleLine } from './headers.js';
import type { PluginTurn } from './turn.js';
import { whyNotSubject } from './written-subject.js';

/** What became of a message. */
export const ChainOutcome = { pass: 0, drop: 1, replace: 2, reject: 3 } as const;

/** Fuel that all plugins of one message may use together, unless one of them alone was given more. */
const CHAIN_FUEL_MAX = 4_000_000;
const REJECT_CHARACTERS_MAX = 250;

/** The attachments that match one subject, in order. Runs synchronously; a message that passes costs no allocation. */
export class Chain {
  readonly attachments: readonly Attachment[];
  /** The message as the plugins left it, after `replace`. Whoever delivered it hands it to `release`. */
  replaced = new Message();
  /** After `reject`. */
  rejectCode = 0;
  rejectText = '';
  /** Looks at every call while it is set: the message at hand is traced. */
  watch: ChainWatch | null = null;
  /** Whether any of them works beside the event loop: then it takes a `ChainRun` to run it. */
  readonly beside: boolean;
  private readonly effects: Effects;
  private readonly turn: PluginTurn;

  constructor(attachments: readonly Attachment[], effects: Effects, turn: PluginTurn) {
    this.attachments = attachments;
    this.beside = attachments.some(({ seat }) => seat !== null);
    this.effects = effects;
    this.turn = turn;
  }

  /** The chain as it is now, of which nothing stays: for a message that is traced and not delivered. */
  rehearsal(): Chain {
    const copies = this.attachments.map((attachment) => attachment.rehearsal());
    for (const { work } of copies) this.turn.add(work);
    return new Chain(copies, this.effects.muted(), this.turn);
  }

  /** Runs every attachment; each sees what the one before left. */
  run(message: Message): number {
    let current = message;
    let work = 0;
    for (let i = 0; i < this.attachments.length; i++) {
      const attachment = this.attachments[i];
      const verdict = this.call(attachment, current, work);
      work += attachment.work;
      if (verdict === Verdict.pass && !attachment.instance!.outbox.hasEffects) {
        attachment.counters.passed++;
        attachment.succeed();
        continue;
      }
      const next = this.apply(attachment, current, verdict);
      // bypass-chain: the message goes on past the rest.
      if (next === ChainOutcome.pass) break;
      if (next !== current && current !== message) releaseReplaced(current);
      if (typeof next === 'number') return next;
      current = next;
    }
    if (current === message) return ChainOutcome.pass;
    this.replaced = current;
    return ChainOutcome.replace;
  }

  /** What plugins are told of the time. */
  get wallMs(): number {
    this.turn.open();
    return this.turn.wallMs;
  }

  /** Whether so much waits for one of them that whoever sends more is to be held. */
  get isFull(): boolean {
    for (let i = 0; i < this.attachments.length; i++) if (this.attachments[i].seat?.isFull === true) return true;
    return false;
  }

  /** The outcome for a message that finds no room before those that work beside the event loop. */
  refuse(message: Message, text: string): number {
    const attachment = this.attachments.find(({ seat }) => seat !== null)!;
    attachment.skip({ cause: 'overload', text });
    this.watch?.skipped(attachment, message);
    const next = this.apply(attachment, message, FAULT);
    return typeof next === 'number' ? next : ChainOutcome.pass;
  }

  /** Takes `replaced` back after its delivery: its bytes are used for another. One that never comes back is lost to the collector. */
  release(replaced: Message): void {
    releaseReplaced(replaced);
  }

  /**
   * Calls one of them, and its shadow. Many plugins that each keep to their budget can still hold everyone up together: `work` is what those
   * before it took.
   */
  call(attachment: Attachment, message: Message, work: number): number {
    this.turn.open();
    const verdict = this.verdictOf(attachment, message, work);
    this.turn.add(attachment.work);
    const { shadow } = attachment;
    if (shadow !== null) {
      shadow.compare(attachment, message, { verdict, now: this.turn });
      this.turn.add(shadow.candidate.work);
    }
    return verdict;
  }

  private verdictOf(attachment: Attachment, message: Message, work: number): number {
    if (work < CHAIN_FUEL_MAX || this.mayUse(work)) {
      return this.watch === null
        ? attachment.call(message, this.turn)
        : this.watch.call(attachment, message, this.turn);
    }
    const text = `the plugins before this one used ${work} fuel on the message; ${CHAIN_FUEL_MAX} are allowed for all together`;
    const verdict = attachment.skip({ cause: 'overload', text });
    this.watch?.skipped(attachment, message);
    return verdict;
  }

  private mayUse(fuel: number): boolean {
    return this.attachments.some((each) => fuel < each.fuelPerMessage);
  }

  /** The message to go on with behind the attachment's verdict, or the outcome that ends the run. */
  apply(attachment: Attachment, message: Message, verdict: number): Message | number {
    if (verdict === FAULT) return this.onFault(attachment, message);
    const { outbox } = attachment;
    // An observer changes nothing, whatever it answers.
    const decided = attachment.phase === 'observe' ? Verdict.pass : verdict;
    const made = decided === Verdict.replace ? this.compose(attachment, message, outbox) : message;
    const fault: Fault | null =
      typeof made === 'string' ? { cause: 'output', text: made } : this.effects.apply(attachment, message, outbox);
    if (fault !== null || typeof made === 'string') {
      if (typeof made !== 'string' && made !== message) releaseReplaced(made);
      attachment.fail(fault!);
      return this.onFault(attachment, message);
    }
    attachment.succeed();
    return this.decide(attachment, decided, made);
  }

  private decide(attachment: Attachment, verdict: number, made: Message): Message | number {
    const { counters } = attachment;
    switch (verdict) {
      case Verdict.drop:
        counters.dropped++;
        return ChainOutcome.drop;
      case Verdict.reject: {
        const { outbox } = attachment;
        counters.rejected++;
        return this.reject(outbox.code, outbox.error || `rejected by ${attachment.name}`);
      }
      case Verdict.replace:
        counters.replaced++;
        counters.bytesOut += made.payloadEnd - made.headersStart;
        return made;
      default:
        counters.passed++;
        return made;
    }
  }

  /** The message with the outbox's parts in place of its own, or what is wrong with them. */
  private compose({ stage }: Attachment, message: Message, outbox: Outbox): Message | string {
    // Its receivers asked for the subject that it has.
    if (stage === 'deliver' && outbox.subject !== null) return 'at the stage "deliver" a message keeps its subject';
    const problem = this.whyNotReplace(outbox);
    if (problem !== null) return problem;
    const limit = this.effects.payloadBytesMax();
    const made = composeReplaced(message, outbox);
    const bytes = made.payloadEnd - made.headersStart;
    if (bytes <= limit) return made;
    releaseReplaced(made);
    return `the new message has ${bytes} bytes; at most ${limit} are allowed`;
  }

  private whyNotReplace({ bytes, subject, reply, headers }: Outbox): string | null {
    let problem: string | null = null;
    if (subject !== null) problem = whyNotSubject('the new subject', bytes, subject.start, subject.end);
    if (problem === null && reply !== null && reply.end > reply.start) {
      problem = whyNotSubject('the new reply subject', bytes, reply.start, reply.end);
    }
    if (problem !== null || headers === null || headers.end === headers.start) return problem;
    if (isHeaderBlock(bytes, headers.start, headers.end)) return null;
    return 'the new headers are not a block "NATS/1.0\\r\\n…\\r\\n\\r\\n"';
  }

  private onFault(attachment: Attachment, message: Message): Message | number {
    attachment.failures.note(attachment, message, this.wallMs);
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
        attachment.failures.keep(message);
        this.effects.emits.push(deadLetter(attachment, message), true);
        return ChainOutcome.drop;
    }
  }

  private reject(code: number, text: string): number {
    this.rejectCode = code;
    this.rejectText = singleLine(text, REJECT_CHARACTERS_MAX);
    return ChainOutcome.reject;
  }
}
