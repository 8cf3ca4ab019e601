import type { BusyPoll } from './busy-poll.js';

/** Something that gathers bytes and sends them when its turn ends. */
export interface Flushable {
  /** How many bytes it has sent. */
  flushTurn(): number;
}

/** Outbound buffers with something to send; each is flushed once at the end of the turn of the event loop. */
export class FlushQueue {
  private waiting: Flushable[] = [];
  private spare: Flushable[] = [];
  private scheduled = false;
  private readonly monotonicNs: () => number;
  private readonly poll: BusyPoll | null;
  private readonly run = () => this.flushAll();

  constructor(monotonicNs: () => number, poll: BusyPoll | null = null) {
    this.monotonicNs = monotonicNs;
    this.poll = poll;
  }

  /** How many wait for the end of this turn. */
  get length(): number {
    return this.waiting.length;
  }

  nowNs(): number {
    return this.monotonicNs();
  }

  add(flushable: Flushable): void {
    this.waiting.push(flushable);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.run);
  }

  private flushAll(): void {
    this.scheduled = false;
    const turn = this.waiting;
    this.waiting = this.spare;
    let sentBytes = 0;
    for (let i = 0; i < turn.length; i++) sentBytes += turn[i].flushTurn();
    turn.length = 0;
    this.spare = turn;
    this.poll?.turnEnded(sentBytes);
  }
}
