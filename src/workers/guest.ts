import type { Budget } from '../sandbox/budget.js';
import type { Fault } from '../sandbox/fault.js';
import type { Frame } from '../sandbox/frame.js';
import { Instance, type WallTime } from '../sandbox/instance.js';
import type { Outbox } from '../sandbox/outbox.js';
import type { GuestSpec } from './protocol.js';

/** What a worker thread runs, whatever it is made of. Every failure is a value, as with `Instance`, which is one. */
export interface Guest {
  readonly outbox: Outbox;
  readonly fault: Fault;
  /** It cannot be called again: its owner makes another one. */
  readonly poisoned: boolean;
  /** Of the last call. */
  readonly fuelUsed: number;
  readonly memoryBytes: number;
  call(frame: Frame, now: WallTime): number;
  tick(nowMs: number): boolean;
  drain(): boolean;
  save(): Uint8Array | null;
  restoreState(state: Uint8Array): boolean;
  setBudget(budget: Budget): void;
}

/** Makes a guest of what was posted, as far as its first message. The one place that knows what guests are made of. */
export function openGuest({ prepared, budget, config, image }: GuestSpec): Guest | Fault {
  return image === null ? Instance.create(prepared, budget, config) : Instance.restore(prepared, budget, image);
}

export function isGuest(opened: Guest | Fault): opened is Guest {
  return 'outbox' in opened;
}
