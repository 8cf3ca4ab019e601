import type { Clock } from '../base/clock.js';

/** Plugins' work until the clock is looked at: 1 ms, 10 at the very worst, and much less as a rule (`sandbox/costs.ts`). */
const FUEL_PER_LOOK = 2_000_000;
/** What plugins may take of a turn, give or take one look: a publisher rests when it comes to the end of a chunk, or on the spot. */
const TURN_NS = 1_000_000;
const TURN_NS_MAX = 3_000_000;

/**
 * Plugins' share of one turn of the event loop. A chunk from one socket may hold thousands of messages, each worth a plugin's whole
 * budget: when the share is used up, whoever publishes waits for the next turn, and everyone else's sockets are served in between.
 */
export class PluginTurn {
  /** Whether the share is used up: whoever sends messages to plugins reads no more, and calls `later`. */
  spent = false;
  /** Whether it is overdrawn: what was read already waits as well. */
  overdrawn = false;
  private fuel = 0;
  /** The wall clock when the turn began: reading it for every message would cost as much as a small plugin does. */
  wallMs = 0;
  private startedNs = 0;
  private scheduled = false;
  private waiting: (() => void)[] = [];
  private readonly clock: Clock;
  private readonly defer: (run: () => void) => void;

  /** `defer` calls back when input and output had their turn. */
  constructor(clock: Clock, defer: (run: () => void) => void = setImmediate) {
    this.clock = clock;
    this.defer = defer;
  }

  /** Called before plugins are. */
  open(): void {
    if (!this.scheduled) this.schedule();
  }

  /** Takes note of plugins' work, in fuel. */
  add(fuel: number): void {
    this.open();
    this.fuel += fuel;
    if (this.fuel < FUEL_PER_LOOK) return;
    // Fuel is an upper bound: what it stands for was perhaps done in a tenth of the time.
    this.fuel = 0;
    const takenNs = this.clock.monotonicNs() - this.startedNs;
    if (takenNs >= TURN_NS) this.spent = true;
    if (takenNs >= TURN_NS_MAX) this.overdrawn = true;
  }

  /** Calls `run` in a later turn; those who wait go first come, first served, as many as a turn has room for. */
  later(run: () => void): void {
    this.waiting.push(run);
    this.open();
  }

  private schedule(): void {
    this.scheduled = true;
    this.startedNs = this.clock.monotonicNs();
    this.wallMs = this.clock.nowMs();
    this.defer(() => this.begin());
  }

  private begin(): void {
    this.scheduled = false;
    this.spent = false;
    this.overdrawn = false;
    this.fuel = 0;
    if (this.waiting.length === 0) return;
    this.schedule();
    const waiting = this.waiting;
    this.waiting = [];
    let next = 0;
    while (next < waiting.length && !this.spent) waiting[next++]();
    if (next < waiting.length) this.waiting = [...waiting.slice(next), ...this.waiting];
  }
}
