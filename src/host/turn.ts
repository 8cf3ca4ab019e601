/** About 1 ms of plugins' work, 10 at the very worst: see the units of fuel in `sandbox/costs.ts`. */
const FUEL_PER_TURN = 2_000_000;

/**
 * Plugins' share of one turn of the event loop. A chunk from one socket may hold thousands of messages, each worth a plugin's whole
 * budget: when the share is used up, whoever publishes waits for the next turn, and everyone else's sockets are served in between.
 */
export class PluginTurn {
  /** Whether the share is used up: whoever has more messages for plugins calls `later`. */
  spent = false;
  private fuel = 0;
  private scheduled = false;
  private waiting: (() => void)[] = [];
  private readonly defer: (run: () => void) => void;

  /** `defer` calls back when input and output had their turn. */
  constructor(defer: (run: () => void) => void = setImmediate) {
    this.defer = defer;
  }

  /** Takes note of plugins' work, in fuel. */
  add(fuel: number): void {
    this.fuel += fuel;
    if (this.fuel >= FUEL_PER_TURN) this.spent = true;
    this.schedule();
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
    const waiting = this.waiting;
    this.waiting = [];
    let next = 0;
    while (next < waiting.length && !this.spent) waiting[next++]();
    if (next < waiting.length) this.waiting = [...waiting.slice(next), ...this.waiting];
    if (this.waiting.length > 0) this.schedule();
  }
}
