import type { Chain } from '../host/chain.js';
import type { ChainRun } from '../host/chain-run.js';
import type { Message } from '../message/message.js';
import { Lane, type Passage } from './lane.js';
import type { Route } from './route.js';
import type { Part, Publisher } from './subscription.js';

/** Where a message that has to wait comes from. */
export interface Origin {
  readonly publisher: Publisher | null;
  /** Whether it comes by an import: its publisher hears nothing of what is decided here. */
  readonly imported: boolean;
  /** Which receivers it may reach; null is all. */
  readonly part: Part | null;
}

/** What becomes of it is the account's to know. */
interface Publishing {
  routeOf(message: Message): Route;
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
  private readonly account: Publishing;
  private readonly origin: Origin;
  /** How many held messages led to it, one after the other: accounts may import from one another in a circle. */
  private readonly depth = passages + 1;

  constructor(account: Publishing, message: Message, origin: Origin) {
    this.account = account;
    this.message = message;
    this.origin = origin;
    this.imported = origin.imported;
  }

  chain(): Chain | null {
    return this.account.routeOf(this.message).chain;
  }

  settle(run: ChainRun | null): void {
    const before = passages;
    passages = this.depth;
    try {
      const receivers = this.depth > PASSAGES_MAX ? 0 : this.account.settleHeld(this.message, this.origin, run);
      if (!this.imported) this.origin.publisher?.onSettled?.(this.message, receivers);
    } finally {
      passages = before;
    }
  }
}

export function laneOf(publisher: Publisher): Lane {
  publisher.lane ??= new Lane(() => {
    publisher.lane = null;
  });
  return publisher.lane;
}
