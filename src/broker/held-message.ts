import type { Chain } from '../host/chain.js';
import type { ChainRun } from '../host/chain-run.js';
import type { ChainWatch } from '../host/chain-watch.js';
import type { Message } from '../message/message.js';
import { Lane, type Passage } from './lane.js';
import type { MessageTrace } from './message-trace.js';
import type { Part, Publisher } from './subscription.js';

/** Where a message that has to wait comes from. */
export interface Origin {
  readonly publisher: Publisher | null;
  /** Whether it comes by an import: its publisher hears nothing of what is decided here. */
  readonly imported: boolean;
  /** Which receivers it may reach; null is all. */
  readonly part: Part | null;
}

/** Who knows what becomes of it: the account, or what traces it there. */
export interface Publishing {
  /** Of one that is traced. */
  readonly watch?: ChainWatch;
  readonly trace?: MessageTrace;
  /** The plugins that it waits for. */
  chainOf(message: Message): Chain | null;
  settleHeld(message: Message, origin: Origin, run: ChainRun | null): number;
}

/** Accounts that one held message may go through, in as many steps. */
const PASSAGES_MAX = 32;
/** Of the message that is settled at the moment. */
let passages = 0;

/** A message that waits in a lane. */
export class HeldMessage implements Passage {
  readonly message: Message;
  readonly imported: boolean;
  readonly watch: ChainWatch | null;
  private readonly publishing: Publishing;
  private readonly origin: Origin;
  /** How many held messages led to it, one after the other: accounts may import from one another in a circle. */
  private readonly depth = passages + 1;

  constructor(publishing: Publishing, message: Message, origin: Origin) {
    this.publishing = publishing;
    this.watch = publishing.watch ?? null;
    this.message = message;
    this.origin = origin;
    this.imported = origin.imported;
  }

  chain(): Chain | null {
    return this.publishing.chainOf(this.message);
  }

  settle(run: ChainRun | null): void {
    const before = passages;
    passages = this.depth;
    try {
      const receivers = this.depth > PASSAGES_MAX ? 0 : this.publishing.settleHeld(this.message, this.origin, run);
      if (!this.imported) this.origin.publisher?.onSettled?.(this.message, receivers);
    } finally {
      passages = before;
      this.publishing.trace?.end();
    }
  }
}

export function laneOf(publisher: Publisher): Lane {
  publisher.lane ??= new Lane(() => {
    publisher.lane = null;
  });
  return publisher.lane;
}
