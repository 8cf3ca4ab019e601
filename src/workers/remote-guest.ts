import { utf8 } from '../base/bytes.js';
import { Fifo } from '../base/fifo.js';
import type { Budget } from '../sandbox/budget.js';
import { FAULT } from '../sandbox/instance.js';
import type { Answer, Asked, Call } from './call.js';
import { CallKind, type GuestSpec } from './protocol.js';
import type { TierThread } from './thread.js';

/** Messages, and their bytes, that may wait for one guest before those who send them are held. */
const MESSAGES_MAX = 2048;
const BYTES_MAX = 4 * 1024 * 1024;

/** What a guest is made of, and how long a call may take. */
export interface RemoteSettings extends Omit<GuestSpec, 'id' | 'savedState'> {
  readonly watchdogMs: number;
  /** What it saved of itself last, as things are. */
  savedState(): Uint8Array | null;
}

let lastId = 0;

/**
 * A plugin's instance in a worker thread, as the event loop sees it. Calls are answered in the order in which they were made, whatever becomes of the
 * thread: a call that ended it is answered with a fault, and those behind it are made again in the next one.
 */
export class RemoteGuest implements Asked {
  readonly id = ++lastId;
  posted = false;
  watchdogMs: number;
  memoryBytes = 0;
  stuck = 0;
  /** Messages that wait for an answer, and their bytes. */
  messages = 0;
  bytes = 0;
  private settings: RemoteSettings;
  private thread: TierThread | null = null;
  /** Calls that wait until it is `goOn`; null while none have to. */
  private held: Fifo<Call> | null = null;
  private closed = false;
  private readonly place: (guest: RemoteGuest) => TierThread;

  /** `place` finds it a thread; it is called when there is the first thing to do. */
  constructor(settings: RemoteSettings, place: (guest: RemoteGuest) => TierThread) {
    this.settings = settings;
    this.watchdogMs = settings.watchdogMs;
    this.place = place;
  }

  get spec(): GuestSpec {
    const { prepared, budget, config, image, keepsState, savedState } = this.settings;
    return { id: this.id, prepared, budget, config, image, keepsState, savedState: savedState() };
  }

  /** So much waits that whoever sends more has to be held. */
  get isFull(): boolean {
    return this.messages >= MESSAGES_MAX || this.bytes >= BYTES_MAX;
  }

  /** Makes a call, behind those that were made before. */
  call(call: Call): void {
    call.guest = this;
    if (call.kind === CallKind.message) {
      this.messages++;
      this.bytes += frameBytes(call);
    }
    if (this.held !== null) this.held.push(call);
    else this.send(call);
  }

  /** Starts the instance, if it does not run. */
  open(): Promise<Outcome> {
    return this.ask(CallKind.open);
  }

  tick(wallMs: number, onAnswer: (answer: Answer) => void): void {
    this.send(new Request(this, { kind: CallKind.tick, wallMs, data: null }, onAnswer));
  }

  /** What it says is there while `onAnswer` runs. */
  drain(onAnswer: (answer: Answer) => void): void {
    this.send(new Request(this, { kind: CallKind.drain, wallMs: 0, data: null }, onAnswer));
  }

  /** The state behind all calls made so far, or why there is none. */
  async save(): Promise<Uint8Array | Outcome> {
    let state: Uint8Array | null = null;
    const outcome = await this.ask(CallKind.save, null, ({ verdict, outbox }) => {
      if (verdict === FAULT) return;
      state = outbox.state === null ? new Uint8Array(0) : outbox.bytes.slice(outbox.state.start, outbox.state.end);
    });
    return state ?? outcome;
  }

  restore(state: Uint8Array): Promise<Outcome> {
    return this.ask(CallKind.restore, state);
  }

  /** For calls made from now on. */
  setBudget(budget: Budget, watchdogMs: number): void {
    this.watchdogMs = watchdogMs;
    this.settings = { ...this.settings, budget };
    if (this.posted) void this.ask(CallKind.budget, utf8(JSON.stringify(budget)));
  }

  /** From now on messages wait. Those before are dealt with, and so are calls of other kinds. */
  hold(): void {
    this.held ??= new Fifo();
  }

  /** Ends `hold`, and gives out what waited, in order. */
  takeHeld(): Call[] {
    const waiting = this.held?.takeAll() ?? [];
    this.held = null;
    for (const call of waiting) this.forget(call);
    return waiting;
  }

  /** Lets go of the instance when everything before was answered; another call would make another one. */
  release(): void {
    const { thread } = this;
    if (thread === null || this.closed) return;
    this.closed = true;
    this.send(
      new Request(this, { kind: CallKind.close, wallMs: 0, data: null }, () => {
        this.closed = false;
        this.memoryBytes = 0;
        if (thread.hasCallsOf(this)) return;
        thread.leave(this);
        this.thread = null;
        this.posted = false;
      }),
    );
  }

  /** Called by the thread when an answer is there. */
  settle(call: Call, answer: Answer): void {
    if (call.kind === CallKind.message) this.forget(call);
    call.onAnswer(answer);
  }

  private forget(call: Call): void {
    if (call.kind !== CallKind.message) return;
    this.messages--;
    this.bytes -= frameBytes(call);
  }

  private send(call: Call): void {
    this.thread ??= this.place(this);
    this.thread.send(call);
  }

  private ask(kind: number, data: Uint8Array | null = null, look?: (answer: Answer) => void): Promise<Outcome> {
    return new Promise((resolve) => {
      const onAnswer = (answer: Answer) => {
        look?.(answer);
        const { verdict, fault, fuelUsed, renewals } = answer;
        resolve({ fault: verdict === FAULT ? { ...fault } : null, fuelUsed, renewals });
      };
      this.send(new Request(this, { kind, wallMs: 0, data }, onAnswer));
    });
  }
}

/** What became of a call that is not a message. */
export interface Outcome {
  readonly fault: Answer['fault'] | null;
  readonly fuelUsed: number;
  readonly renewals: number;
}

/** A call without a message. */
class Request implements Call {
  guest: Asked;
  readonly kind: number;
  readonly frame = null;
  readonly data: Uint8Array | null;
  readonly wallMs: number;
  readonly decided = false;
  readonly timed = false;
  readonly onAnswer: (answer: Answer) => void;

  constructor(
    guest: Asked,
    { kind, data, wallMs }: { kind: number; data: Uint8Array | null; wallMs: number },
    onAnswer: (answer: Answer) => void,
  ) {
    this.guest = guest;
    this.kind = kind;
    this.data = data;
    this.wallMs = wallMs;
    this.onAnswer = onAnswer;
  }
}

function frameBytes({ frame }: Call): number {
  return frame!.payloadEnd - frame!.subjectStart;
}
