import { packWords } from '../base/bytes.js';
import { isSubject, type Message } from '../message/message.js';

/** Who knows what is denied; its answers never change. */
interface Rules {
  deliveryDenied(bytes: Uint8Array, start: number, end: number, queue: string | null): boolean;
}

/** Subjects whose verdict is kept: a power of two. */
const KEPT_BITS = 5;
/** One of so many subjects that are not kept takes the place of one that is: most of many come once. */
const REPLACED_EVERY = 8;

/** What was found out about a subject. */
class Denial {
  readonly hash: number;
  readonly words: Int32Array;
  readonly bytes: number;
  readonly queue: string | null;
  readonly denied: boolean;

  constructor({ bytes, subjectStart, subjectEnd, subjectHash }: Message, queue: string | null, denied: boolean) {
    this.hash = subjectHash;
    this.words = packWords(bytes.subarray(subjectStart, subjectEnd));
    this.bytes = subjectEnd - subjectStart;
    this.queue = queue;
    this.denied = denied;
  }
}

/** What of the messages that its subscriptions match a user does not get. Verdicts on a few subjects are kept. */
export class DeliveryFilter {
  private readonly rules: Rules;
  private readonly kept: (Denial | null)[] = new Array(1 << KEPT_BITS).fill(null);
  private misses = 0;

  constructor(rules: Rules) {
    this.rules = rules;
  }

  /** Whether the message must not be delivered to a subscription that matches it, of this queue group if of any. */
  denies(message: Message, queue: string | null): boolean {
    // The hash's high bits are its best.
    const place = message.subjectHash >>> (32 - KEPT_BITS);
    const known = this.kept[place];
    if (known === null) return this.ask(message, queue, place);
    if (known.hash === message.subjectHash && known.queue === queue && isSubject(message, known.words, known.bytes))
      return known.denied;
    this.misses = (this.misses + 1) % REPLACED_EVERY;
    return this.ask(message, queue, this.misses === 0 ? place : -1);
  }

  /** Keeps what it hears at `place`, unless that is negative. */
  private ask(message: Message, queue: string | null, place: number): boolean {
    const { bytes, subjectStart, subjectEnd } = message;
    const denied = this.rules.deliveryDenied(bytes, subjectStart, subjectEnd, queue);
    if (place >= 0) this.kept[place] = new Denial(message, queue, denied);
    return denied;
  }
}
