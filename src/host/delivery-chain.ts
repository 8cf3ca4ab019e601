import type { Message } from '../message/message.js';
import { filterCovers } from '../subject/subject.js';
import { type Chain, ChainOutcome } from './chain.js';
import type { ReceiverSelection } from './declarations.js';

/** Who gets a message, as attachments of the stage `deliver` choose among them. */
export interface Receiver {
  /** The subscription's own filter. */
  readonly filter: string;
  readonly queue: string | null;
  readonly user: string;
  /** The consumer that hands out what was stored; null for a message on its way from its publisher. */
  readonly giver: Giver | null;
}

/** A consumer, by its stream's name and its own. */
export interface Giver {
  readonly stream: string;
  readonly consumer: string;
}

/** Whether an attachment is for this receiver; what is not named is everyone. */
export function isSelected(selection: ReceiverSelection, receiver: Receiver): boolean {
  const { subscription, queue, user, stream, consumer } = selection;
  if (stream !== undefined && stream !== receiver.giver?.stream) return false;
  if (consumer !== undefined && consumer !== receiver.giver?.consumer) return false;
  if (subscription !== undefined && !filterCovers(subscription, receiver.filter)) return false;
  if (queue !== undefined && queue !== receiver.queue) return false;
  return user === undefined || user === receiver.user;
}

/** One message on its way to receivers. */
export interface Delivery {
  /** Another number for each message. */
  readonly number: number;
  /** Whether it began while another was under way. */
  readonly nested: boolean;
}

/** A chain whose outcome all its receivers of one message share: it runs when the first of them is due, and once. */
export class DeliveryChain {
  readonly chain: Chain;
  private delivery = 0;
  private outcome: Message | null = null;
  /** What the plugins made of the last message; its bytes are used again for the next one. */
  private made: Message | null = null;

  constructor(chain: Chain) {
    this.chain = chain;
  }

  /** What these receivers get in place of the message; null is nothing. */
  outcomeOf(message: Message, { number, nested }: Delivery): Message | null {
    if (this.delivery === number) return this.outcome;
    // Within another delivery the bytes may still be on their way.
    if (this.made !== null && !nested) this.chain.release(this.made);
    this.made = null;
    this.outcome = this.run(message);
    this.delivery = number;
    return this.outcome;
  }

  private run(message: Message): Message | null {
    switch (this.chain.run(message)) {
      case ChainOutcome.pass:
        return message;
      case ChainOutcome.replace:
        this.made = this.chain.replaced;
        return this.made;
      default:
        // The publisher hears nothing of a reject: its message was taken.
        return null;
    }
  }
}
