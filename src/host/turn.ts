/** Plugins' work until the clock is looked at: 1 ms, 10 at the very worst, and much less as a rule (`sandbox/costs.ts`). */
const FUEL_PER_LOOK = 2_000_000;
/** What plugins may take of a turn, give or take one look. */
const TURN_NS = 1_000_000;

/**
 * Plugins' share of one turn of the event loop. A chunk from one socket may hold thousands of messages, each worth a plugin's whole
 * budget: when the share is used up, whoever publishes waits for the next turn, and everyone else's sockets are served in between.
 */
export class PluginTurn {
  /** Whether the share is used up: whoever has more messages for plugins calls `later`. */
  spent = false;
  private fuel = 0;
  private startedNs = 0;
  private scheduled = false;
  private waiting: (() => void)[] = [];
  private readonly defer: (run: () => void) => void;

  private readonly nowNs: () => number;

  /** `defer` calls back when input and output had their turn; `nowNs` is monotonic. */
  constructor(nowNs: () => number, defer: (run: () => void) => void = setImmediate) {
    this.nowNs = nowNs;
    this.defer = defer;
  }

  /** Takes note of plugins' work, in fuel. */
  add(fuel: number): void {
    if (!this.scheduled) this.startedNs = this.nowNs();
    this.schedule();
    this.fuel += fuel;
    if (this.fuel < FUEL_PER_LOOK) return;
    // Fuel is an upper bound: what it stands for was perhaps done in a tenth of the time.
    this.fuel = 0;
    if (this.nowNs() - this.startedNs >= TURN_NS) this.spent = true;
  }

  /** Calls `run` in a later turn; those who wait go first come, first served, as many as a turn has room for. */
  later(run: () => void): void {
    this.waiting.push(run);
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.defer(() => this.begin());
  }

  private begin(): void {
    this.scheduled = false;
    this.spent = false;
    this.fuel = 0;
    this.startedNs = this.nowNs();
    const waiting = this.waiting;
    this.waiting = [];
    let next = 0;
    while (next < waiting.length && !this.spent) waiting[next++]();
    if (next < waiting.length) this.waiting = [...waiting.slice(next), ...this.waiting];
    if (this.waiting.length > 0) this.schedule();
  }
}
