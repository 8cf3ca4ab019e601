/** A message that was delivered and not yet acknowledged. */
export interface Pending {
  /** The consumer's sequence of its first delivery. */
  readonly consumerSequence: number;
  /** When it counts as delivered last: the ack wait runs from here. A delayed nak moves it. */
  deliveredMs: number;
}

/** A position in the consumer's own count and in the stream's. */
export interface Position {
  consumer: number;
  stream: number;
}

/** Everything of a ledger that outlives the process. */
export interface LedgerState {
  next: number;
  /** Whether messages from before `next` are still to be given: the last ones of each subject. */
  starting: boolean;
  delivered: Position;
  floor: Position;
  /** `[stream sequence, consumer sequence, deliveredMs]`, ascending. */
  pending: [number, number, number][];
  /** `[stream sequence, redeliveries]` of messages that were delivered more than once. */
  redelivered: [number, number][];
}

/**
 * What one consumer was given and what it has acknowledged: sequences and counts, no messages, no clock.
 *
 * ```text
 * stream   1 … floor │ floor+1 = the first pending … delivered │ next …
 *          all done  │ pending, or acknowledged out of order   │ not yet given
 * ```
 *
 * `pending` is in the order of first delivery, which is the stream's: its first entry is the lowest sequence.
 */
export class Ledger {
  /** The next new message's sequence is at least this. */
  next: number;
  readonly delivered: Position;
  readonly floor: Position;
  readonly pending = new Map<number, Pending>();
  /** How often each message was delivered beyond the first time. */
  readonly redeliveries = new Map<number, number>();
  /** Whether messages from before `next` are still to be given. */
  starting = false;

  /** `first`: the sequence that is given first, if that is not the next one. */
  constructor(next: number, first = next) {
    this.next = next;
    this.delivered = { consumer: 0, stream: first - 1 };
    this.floor = { consumer: 0, stream: first - 1 };
  }

  /** Takes on what `state` gave, of messages that are still there; `last` is the last sequence ever given to one. */
  restore(state: LedgerState, isThere: (sequence: number) => boolean, last: number): void {
    Object.assign(this.delivered, state.delivered);
    Object.assign(this.floor, state.floor);
    // Without a sync before each acknowledgement, a crash may take messages back that were given already.
    this.delivered.stream = Math.min(this.delivered.stream, last);
    this.floor.stream = Math.min(this.floor.stream, last);
    this.next = Math.min(state.next, last + 1);
    this.starting = state.starting;
    for (const [sequence, consumerSequence, deliveredMs] of state.pending)
      if (isThere(sequence)) this.pending.set(sequence, { consumerSequence, deliveredMs });
    for (const [sequence, count] of state.redelivered) if (isThere(sequence)) this.redeliveries.set(sequence, count);
    this.moveFloor();
  }

  state(): LedgerState {
    return {
      next: this.next,
      starting: this.starting,
      delivered: { ...this.delivered },
      floor: { ...this.floor },
      pending: Array.from(this.pending, ([sequence, entry]) => [sequence, entry.consumerSequence, entry.deliveredMs]),
      redelivered: [...this.redeliveries],
    };
  }

  /** How often the message was delivered so far. */
  deliveries(sequence: number): number {
    return this.pending.has(sequence) || this.redeliveries.has(sequence)
      ? (this.redeliveries.get(sequence) ?? 0) + 1
      : 0;
  }

  /** A message goes out, for the first time or again; `tracked` when it is to be acknowledged. Returns the consumer's sequence. */
  deliver(sequence: number, tracked: boolean, nowMs: number): number {
    const consumerSequence = ++this.delivered.consumer;
    if (sequence > this.delivered.stream) this.delivered.stream = sequence;
    if (!tracked) {
      this.floor.consumer = consumerSequence;
      this.floor.stream = this.delivered.stream;
      return consumerSequence;
    }
    const entry = this.pending.get(sequence);
    if (entry === undefined) this.pending.set(sequence, { consumerSequence, deliveredMs: nowMs });
    else {
      entry.deliveredMs = nowMs;
      this.redeliveries.set(sequence, (this.redeliveries.get(sequence) ?? 0) + 1);
    }
    return consumerSequence;
  }

  /** One message is done; false when it was not pending. */
  settle(sequence: number): boolean {
    if (!this.pending.delete(sequence)) return false;
    this.redeliveries.delete(sequence);
    this.moveFloor();
    return true;
  }

  /** A message was removed; false when it was not pending. One that was given up is not remembered either. */
  onRemoved(sequence: number): boolean {
    if (this.settle(sequence)) return true;
    this.redeliveries.delete(sequence);
    return false;
  }

  /** The same for all below a sequence. */
  onRemovedBelow(first: number): void {
    for (const sequence of [...this.pending.keys()]) if (sequence < first) this.settle(sequence);
    for (const sequence of this.redeliveries.keys()) if (sequence < first) this.redeliveries.delete(sequence);
  }

  /** A message that nobody is to have is done. It takes no number of the consumer's own count: whoever counts would miss it. */
  passOver(sequence: number): void {
    if (this.settle(sequence)) return;
    if (sequence > this.delivered.stream) this.delivered.stream = sequence;
    this.moveFloor();
  }

  /** The message will not be given again, and is not acknowledged either. */
  giveUp(sequence: number): void {
    const count = this.redeliveries.get(sequence) ?? 0;
    if (!this.pending.delete(sequence)) return;
    this.redeliveries.set(sequence, count);
    this.moveFloor();
  }

  /** Everything up to a message is done; returns what was pending of it. */
  settleUpTo(sequence: number, consumerSequence: number): number[] {
    if (sequence <= this.floor.stream) return [];
    const settled: number[] = [];
    for (const pending of this.pending.keys()) if (pending <= sequence) settled.push(pending);
    for (const done of settled) {
      this.pending.delete(done);
      this.redeliveries.delete(done);
    }
    this.floor.stream = sequence;
    this.floor.consumer = Math.max(this.floor.consumer, consumerSequence);
    if (this.pending.size === 0) this.moveFloor();
    return settled;
  }

  /** Whether the consumer is done with a message, or will never be given it. */
  isDone(sequence: number): boolean {
    return sequence <= this.floor.stream || (sequence < this.next && !this.pending.has(sequence));
  }

  /** Starts over at a sequence. */
  reset(next: number): void {
    this.pending.clear();
    this.redeliveries.clear();
    this.starting = false;
    this.next = next;
    this.delivered.stream = this.floor.stream = next - 1;
    this.delivered.consumer = this.floor.consumer = 0;
  }

  /** Everything below `first` is gone. */
  skipTo(first: number): void {
    if (this.next < first) this.next = first;
    if (this.pending.size === 0) {
      if (this.delivered.stream < this.next - 1) this.delivered.stream = this.next - 1;
      this.moveFloor();
    }
  }

  private moveFloor(): void {
    for (const [sequence, { consumerSequence }] of this.pending) {
      this.floor.stream = Math.max(this.floor.stream, sequence - 1);
      this.floor.consumer = Math.max(this.floor.consumer, consumerSequence - 1);
      return;
    }
    this.floor.consumer = this.delivered.consumer;
    this.floor.stream = Math.max(this.floor.stream, this.delivered.stream);
  }
}
