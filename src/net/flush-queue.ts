/** Something that gathers bytes and sends them when its turn ends. */
export interface Flushable {
  flushTurn(): void;
}

/** Outbound buffers with something to send; each is flushed once at the end of the turn of the event loop. */
export class FlushQueue {
  private waiting: Flushable[] = [];
  private spare: Flushable[] = [];
  private scheduled = false;
  private readonly monotonicNs: () => number;
  private readonly run = () => this.flushAll();

  constructor(monotonicNs: () => number) {
    this.monotonicNs = monotonicNs;
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
    for (let i = 0; i < turn.length; i++) turn[i].flushTurn();
    turn.length = 0;
    this.spare = turn;
  }
}
