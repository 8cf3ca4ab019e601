import type { Budget } from '../sandbox/budget.js';
import type { Fault } from '../sandbox/fault.js';
import type { Frame } from '../sandbox/frame.js';
import { FAULT, type WallTime } from '../sandbox/instance.js';
import { Outbox } from '../sandbox/outbox.js';
import { type Guest, isGuest, openGuest } from './guest.js';
import type { GuestSpec } from './protocol.js';

const NOTHING_SAID = new Outbox();
const NO_FAULT: Fault = { cause: 'trap', text: '' };

/** The place of one guest in a worker thread: makes its instance when it is needed, and another one after a trap. */
export class Slot {
  /** Of the request at hand; an outbox that is empty when the guest was not called for it. */
  outbox = NOTHING_SAID;
  fault = NO_FAULT;
  fuelUsed = 0;
  /** Instances made so far. */
  renewals = 0;
  /** Called when an instance is about to be made, and when it was. */
  onOpening: (opening: boolean) => void = () => {};
  private readonly spec: GuestSpec;
  private budget: Budget;
  private savedState: Uint8Array | null;
  private guest: Guest | null = null;

  constructor(spec: GuestSpec) {
    this.spec = spec;
    this.budget = spec.budget;
    this.savedState = spec.savedState;
  }

  get memoryBytes(): number {
    return this.guest?.memoryBytes ?? 0;
  }

  /** Before each request: what the guest said at the last one was answered. */
  begin(): void {
    this.outbox = NOTHING_SAID;
    this.fuelUsed = 0;
  }

  /** The verdict on a message, or `FAULT`. */
  message(frame: Frame, now: WallTime): number {
    const guest = this.guest ?? this.renew();
    if (guest === null) return FAULT;
    const verdict = guest.call(frame, now);
    this.note(guest);
    return verdict;
  }

  open(): boolean {
    return this.guest !== null || this.renew() !== null;
  }

  tick(nowMs: number): boolean {
    return this.outside((guest) => guest.tick(nowMs));
  }

  drain(): boolean {
    // One that was never called has nothing to say.
    return this.guest === null || this.outside((guest) => guest.drain());
  }

  save(): boolean {
    return this.outside((guest) => {
      const state = guest.save();
      if (state === null) return false;
      this.savedState = state;
      return true;
    });
  }

  restore(state: Uint8Array): boolean {
    const done = this.outside((guest) => guest.restoreState(state));
    if (done) this.savedState = state;
    return done;
  }

  /** Another memory budget takes effect with the next instance, which takes the state over. */
  setBudget(budget: Budget): boolean {
    const renewed = budget.memoryBytesMax !== this.budget.memoryBytesMax;
    this.budget = budget;
    this.guest?.setBudget(budget);
    if (!renewed) return true;
    if (this.guest !== null && this.spec.keepsState) this.save();
    this.guest = null;
    // The state stays here: nobody asked for it.
    this.outbox = NOTHING_SAID;
    return true;
  }

  private outside(run: (guest: Guest) => boolean): boolean {
    const guest = this.guest ?? this.renew();
    if (guest === null) return false;
    const done = run(guest);
    this.note(guest);
    return done;
  }

  private note(guest: Guest): void {
    this.outbox = guest.outbox;
    this.fault = guest.fault;
    this.fuelUsed = guest.fuelUsed;
    if (guest.poisoned) this.guest = null;
  }

  private renew(): Guest | null {
    this.onOpening(true);
    this.renewals++;
    const opened = openGuest({ ...this.spec, budget: this.budget });
    if (!isGuest(opened)) {
      this.fault = opened;
      return null;
    }
    if (this.savedState !== null && !opened.restoreState(this.savedState)) {
      // The next one begins anew: a state that cannot be taken on must not keep the plugin from working for ever.
      this.savedState = null;
      this.fault = { cause: 'init', text: `the saved state was refused: ${opened.fault.text}` };
      return null;
    }
    this.guest = opened;
    this.onOpening(false);
    return opened;
  }
}
