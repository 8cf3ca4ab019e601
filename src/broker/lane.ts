import { Fifo } from '../base/fifo.js';
import type { Chain } from '../host/chain.js';
import { ChainRun } from '../host/chain-run.js';
import type { ChainWatch } from '../host/chain-watch.js';
import type { Message } from '../message/message.js';

/** Messages, and their bytes, that wait before their publisher is held. */
const MESSAGES_MAX = 1024;
const BYTES_MAX = 1024 * 1024;
/** What does not come from a connection cannot be held: it is refused when there is so much more. */
const OVERFULL = 4;

/** One message on its way to its receivers. */
export interface Passage {
  /** Bytes of its own. */
  readonly message: Message;
  /** Whether it comes from another account. */
  readonly imported: boolean;
  /** Looks at what its plugins say, when it is traced. */
  readonly watch: ChainWatch | null;
  /** The plugins that it goes through, as things are. */
  chain(): Chain | null;
  /** It is its turn. `run` has what its plugins said; null when none of them works beside the event loop: they are still to be heard. */
  settle(run: ChainRun | null): void;
}

/** A passage in its place in the lane. */
class Place {
  readonly passage: Passage;
  begun = false;
  run: ChainRun | null = null;

  constructor(passage: Passage) {
    this.passage = passage;
  }
}

/**
 * A publisher's messages of which one waits for a plugin beside the event loop: those behind it wait too, and all are delivered in the order in which
 * they came, whichever subjects they have.
 *
 * ```text
 * first ► | asked, answered | asked | asked | … | another chain: its plugins are asked when it is first | …
 * ```
 *
 * Messages that go through the same plugins are asked about at once: each of these plugins sees them in their order. One with other plugins waits until
 * it is the first, so that no plugin of theirs sees it before those in front of it.
 */
export class Lane {
  private readonly places = new Fifo<Place>();
  private bytes = 0;
  private imports = 0;
  /** How many of the first were begun, and the chain of the last one. */
  private begun = 0;
  private chain: Chain | null = null;
  private settling = false;
  private roomWaiters: (() => void)[] = [];
  private idleWaiters: (() => void)[] = [];
  /** Called whenever nothing waits any more. */
  private readonly onIdle: () => void;

  constructor(onIdle: () => void) {
    this.onIdle = onIdle;
  }

  get length(): number {
    return this.places.length;
  }

  /** Whether any of them comes from another account: what else does waits behind it. */
  get hasImports(): boolean {
    return this.imports > 0;
  }

  /** Whether its publisher is to send no more for now. */
  get isFull(): boolean {
    return this.length >= MESSAGES_MAX || this.bytes >= BYTES_MAX || this.chain?.isFull === true;
  }

  /** Whether it holds far more than it should. */
  get isOverfull(): boolean {
    return this.length >= OVERFULL * MESSAGES_MAX || this.bytes >= OVERFULL * BYTES_MAX;
  }

  /** Calls `run` once, when most of what waits now is on its way. */
  whenRoom(run: () => void): void {
    if (this.length === 0) run();
    else this.roomWaiters.push(run);
  }

  /** Calls `run` once, when nothing waits. */
  whenIdle(run: () => void): void {
    if (this.length === 0) run();
    else this.idleWaiters.push(run);
  }

  add(passage: Passage): void {
    this.places.push(new Place(passage));
    this.bytes += bytesOf(passage);
    if (passage.imported) this.imports++;
    this.begin();
    this.settle();
  }

  /** Asks the plugins of those that may be asked. */
  private begin(): void {
    for (let place = this.places.at(this.begun); place !== undefined; place = this.places.at(this.begun)) {
      const chain = place.passage.chain();
      const beside = chain?.beside === true;
      if (this.begun > 0 && !(beside && chain === this.chain)) return;
      this.chain = chain;
      this.begun++;
      place.begun = true;
      if (!beside) return;
      place.run = new ChainRun(chain!, place.passage.message, () => this.settle());
      place.run.watch = place.passage.watch;
      place.run.start();
    }
  }

  /** Lets go on whoever was heard, in order. */
  private settle(): void {
    if (this.settling) return;
    this.settling = true;
    for (let place = this.places.first; place?.begun && place.run?.isDone !== false; place = this.places.first) {
      this.places.shift();
      this.begun--;
      this.bytes -= bytesOf(place.passage);
      if (place.passage.imported) this.imports--;
      place.passage.settle(place.run);
      this.begin();
    }
    this.settling = false;
    this.wake();
  }

  private get hasRoom(): boolean {
    if (this.length === 0) return true;
    return this.length <= MESSAGES_MAX / 2 && this.bytes <= BYTES_MAX / 2 && this.chain?.isFull !== true;
  }

  private wake(): void {
    if (this.length === 0) {
      this.chain = null;
      this.onIdle();
    }
    if (this.roomWaiters.length > 0 && this.hasRoom) {
      const waiters = this.roomWaiters;
      this.roomWaiters = [];
      for (const run of waiters) run();
    }
    if (this.length > 0 || this.idleWaiters.length === 0) return;
    const waiters = this.idleWaiters;
    this.idleWaiters = [];
    for (const run of waiters) run();
  }
}

function bytesOf({ message }: Passage): number {
  return message.payloadEnd - message.subjectStart;
}
