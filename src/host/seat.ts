import type { Clock } from '../base/clock.js';
import type { Image } from '../sandbox/image.js';
import { FAULT } from '../sandbox/instance.js';
import { Outbox } from '../sandbox/outbox.js';
import type { PreparedModule } from '../sandbox/prepare.js';
import type { Answer, Call } from '../workers/call.js';
import type { Outcome, RemoteGuest } from '../workers/remote-guest.js';
import type { WorkerTier } from '../workers/tier.js';
import type { Attachment, SeatOf } from './attachment.js';
import { watchdogOf } from './budgets.js';
import type { ChainRun } from './chain-run.js';

const NOTHING_SAID = new Outbox();

interface SeatParts {
  tier: WorkerTier;
  clock: Clock;
  prepared: PreparedModule;
  /** What starting the plugin led to. */
  image: Image | null;
}

/** An attachment's place in the worker tier: its guest there, and what becomes of its answers here. */
export class Seat implements SeatOf {
  outbox = NOTHING_SAID;
  private readonly attachment: Attachment;
  private readonly guest: RemoteGuest;
  private readonly clock: Clock;
  private isTicking = false;

  constructor(attachment: Attachment, { tier, clock, prepared, image }: SeatParts) {
    const { budget, config, keepsState } = attachment;
    this.attachment = attachment;
    this.clock = clock;
    this.guest = tier.guest({
      ...{ prepared, budget, config, image, keepsState, watchdogMs: watchdogMs(attachment) },
      savedState: () => attachment.savedState,
    });
  }

  get memoryBytes(): number {
    return this.guest.memoryBytes;
  }

  get isFull(): boolean {
    return this.guest.isFull;
  }

  get depth(): number {
    return this.guest.messages;
  }

  get stuck(): number {
    return this.guest.stuck;
  }

  call(call: Call): void {
    this.guest.call(call);
  }

  noteAnswer({ outbox }: Answer): void {
    this.outbox = outbox;
  }

  setBudget(): void {
    this.guest.setBudget(this.attachment.budget, watchdogMs(this.attachment));
  }

  /** Makes the instance before the first message comes. One that keeps a state waits until it is known which. */
  warmUp(): void {
    if (!this.attachment.keepsState) void this.guest.open().then((outcome) => this.note(outcome));
  }

  /** Resolves when everything before was answered. */
  async settled(): Promise<void> {
    if (this.depth > 0) this.note(await this.guest.open());
  }

  /** One that did not answer the last one yet is not told again. */
  tick(carryOut: () => void): Promise<void> {
    if (this.isTicking) return Promise.resolve();
    this.isTicking = true;
    return this.asked((onAnswer) => this.guest.tick(this.clock.nowMs(), onAnswer), carryOut).finally(() => {
      this.isTicking = false;
    });
  }

  drain(carryOut: () => void): Promise<void> {
    return this.asked((onAnswer) => this.guest.drain(onAnswer), carryOut);
  }

  async save(): Promise<Uint8Array | null> {
    const saved = await this.guest.save();
    if (saved instanceof Uint8Array) {
      this.attachment.savedState = saved;
      return saved;
    }
    this.note(saved);
    return null;
  }

  async restore(state: Uint8Array): Promise<boolean> {
    const outcome = await this.guest.restore(state);
    this.note(outcome);
    if (outcome.fault !== null) return false;
    this.attachment.savedState = state;
    return true;
  }

  hold(): void {
    this.guest.hold();
  }

  goOn(attachment: Attachment): void {
    for (const call of this.guest.takeHeld()) (call as ChainRun).movedTo(attachment);
  }

  release(): void {
    this.guest.release();
  }

  /** A call that is not a message; `carryOut` runs when it was done, while what it wrote is there. */
  private asked(ask: (onAnswer: (answer: Answer) => void) => void, carryOut: () => void): Promise<void> {
    return new Promise((resolve) => {
      ask((answer) => {
        const { fault, fuelUsed, renewals, verdict } = answer;
        this.outbox = answer.outbox;
        this.note({ fault: verdict === FAULT ? { ...fault } : null, fuelUsed, renewals });
        if (verdict !== FAULT) carryOut();
        resolve();
      });
    });
  }

  private note({ fault, fuelUsed, renewals }: Outcome): void {
    const { counters } = this.attachment;
    counters.fuel += fuelUsed;
    counters.renewals += renewals;
    this.attachment.fuelUsed = fuelUsed;
    if (fault !== null) this.attachment.fail(fault);
  }
}

function watchdogMs({ declaration, version }: Attachment): number {
  return watchdogOf(declaration.budget, version.manifest?.budget);
}
