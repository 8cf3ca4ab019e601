import { utf8 } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { Failure } from '../base/failure.js';
import type { Message } from '../message/message.js';
import { type Budget, FUEL_FOR_ENTRY, FUEL_FOR_INIT_ON_LOOP } from '../sandbox/budget.js';
import type { Fault } from '../sandbox/fault.js';
import type { Image } from '../sandbox/image.js';
import { FAULT, Instance, type WallTime } from '../sandbox/instance.js';
import type { Outbox } from '../sandbox/outbox.js';
import type { Started } from '../sandbox/start.js';
import type { RefusedEntry } from '../sandbox/table.js';
import type { Answer, Call } from '../workers/call.js';
import { Allowance } from './allowance.js';
import { type AttachmentCounters, noCounters } from './attachment-counters.js';
import { checkDeclaration, checkGrants, fitsLoop } from './attachment-rules.js';
import { Breaker } from './breaker.js';
import { budgetOf, emitsOf } from './budgets.js';
import { settleConfig } from './config-schema.js';
import type { AttachmentDeclaration, FailureAction, Phase, Stage } from './declarations.js';
import { FailureLog } from './failure-log.js';
import { GuestTable } from './guest-table.js';
import { Histogram } from './histogram.js';
import type { PluginVersion } from './registry.js';
import type { TableFeed } from './table-source.js';

/** One call in so many is timed. */
const TIMED_EVERY = 64;

/** A stack overflow and the text of a trap, in fuel (bench/micro/sandbox.ts). */
const TRAP_WORK = 500_000;
/** A new instance. */
const RENEWAL_WORK = 500_000;

/** Sees what an attachment sees, and compares. */
export interface ShadowOf {
  readonly candidate: Attachment;
  readonly same: number;
  readonly different: number;
  readonly samples: { subject: string; payload: string; active: string; candidate: string }[];
  compare(active: Attachment, message: Message, call: { verdict: number; now: WallTime }): void;
}

/** Where an attachment works that does not work on the event loop. */
export interface SeatOf {
  /** Of the answer at hand. */
  readonly outbox: Outbox;
  readonly memoryBytes: number;
  readonly isFull: boolean;
  /** Messages that wait for an answer. */
  readonly depth: number;
  /** Workers that it took with it. */
  readonly stuck: number;
  call(call: Call): void;
  noteAnswer(answer: Answer): void;
  setBudget(): void;
  /** Answers when it was done; what it wrote is in `outbox` while `carryOut` runs. */
  tick(carryOut: () => void): Promise<void>;
  drain(carryOut: () => void): Promise<void>;
  /** Resolves when everything before was answered. */
  settled(): Promise<void>;
  save(): Promise<Uint8Array | null>;
  restore(state: Uint8Array): Promise<boolean>;
  /** Messages wait from now on, until `goOn` hands them to the attachment that is to be asked. */
  hold(): void;
  goOn(attachment: Attachment): void;
  release(): void;
}

interface AttachmentParts {
  clock: Clock;
  /** Why the plugin cannot run at all. */
  damage?: string | null;
}

/** A plugin version at work on a subject filter. The instance is made at the first message and renewed after a trap. */
export class Attachment {
  readonly name: string;
  readonly declaration: AttachmentDeclaration;
  readonly version: PluginVersion;
  readonly stage: Stage;
  readonly phase: Phase;
  readonly order: number;
  readonly counters: AttachmentCounters = noCounters();
  readonly breaker: Breaker;
  /** Of the calls that were timed: nanoseconds and fuel. */
  readonly latency = new Histogram();
  readonly fuelPerCall = new Histogram();
  /** Handed on to the next version. */
  failures = new FailureLog();
  /** The instance of the last call: its outbox holds what the call wrote. */
  instance: Instance | null = null;
  /** Set when it works beside the event loop: it has no instance then. */
  seat: SeatOf | null = null;
  /** What took its place, and whether it is not to run again. */
  successor: Attachment | null = null;
  private isRetired = false;
  fault: Fault = { cause: 'trap', text: '' };
  /** Fuel of the last call. */
  fuelUsed = 0;
  /** What the last call cost the event loop, in fuel: traps and new instances cost more than the guest was charged. */
  work = 0;
  /** Log lines in the second at hand. */
  logSecond = 0;
  logLines = 0;
  /** What the plugin may use. */
  budget: Budget;
  /** Further messages that one call may publish. */
  emitsMax: number;
  /** Calls since one was timed: the count of all calls is no small integer for long, and a remainder of others is slow. */
  private untimed = 0;
  /** What it may use per second; null is no limit. */
  private allowance: Allowance | null;
  /** As JSON text. */
  readonly config: string;
  /** Why the plugin cannot run at all, however often it is tried; null as a rule. */
  readonly damage: string | null;
  /** Another version that judges a share of the subjects, by their hash. */
  canary: { readonly attachment: Attachment; readonly share: number } | null = null;
  /** Another version that sees the same messages. */
  shadow: ShadowOf | null = null;
  /** What the plugin saved of itself last: a new instance goes on from there. */
  savedState: Uint8Array | null = null;
  /** What the plugin looks up; null without a table. */
  table: GuestTable | null;
  /** The bucket that its table follows. */
  feed: TableFeed | null = null;
  /** What a new instance is a copy of; null when it is started anew each time. */
  private image: Image | null = null;
  private readonly clock: Clock;

  constructor(declaration: AttachmentDeclaration, version: PluginVersion, { clock, damage = null }: AttachmentParts) {
    this.name = declaration.name;
    this.declaration = declaration;
    this.version = version;
    this.stage = declaration.stage ?? 'publish';
    this.phase = declaration.phase ?? 'transform';
    this.order = declaration.order ?? 0;
    const { manifest } = version;
    const schema = damage === null ? (manifest?.config ?? null) : null;
    this.config = JSON.stringify(settleConfig(declaration.plugin, schema, declaration.config ?? {}));
    this.damage = damage;
    this.clock = clock;
    this.budget = budgetOf(declaration.budget, manifest?.budget);
    this.emitsMax = emitsOf(declaration.budget, manifest?.budget);
    this.allowance = Allowance.of({ ...manifest?.budget, ...declaration.budget });
    this.breaker = new Breaker(clock);
    checkDeclaration(declaration, this.phase);
    if (damage === null) checkGrants(declaration, manifest?.grants ?? []);
    const hasTable = declaration.table !== undefined && damage === null;
    this.table = hasTable ? new GuestTable(declaration, manifest?.budget) : null;
  }

  /** Runs the plugin on one message: its verdict, or `FAULT` with `fault` set. `now` is what the plugin is told of the time. */
  call(message: Message, now: WallTime): number {
    const refusal = this.refusalOf(message, now);
    if (refusal !== null) return this.skip(refusal);
    this.work = 0;
    const instance = this.instance ?? this.renew();
    if (instance === null) {
      this.fuelUsed = 0;
      return this.fail(this.fault);
    }
    const counters = this.counters;
    const timed = this.untimed === 0;
    this.untimed = (this.untimed + 1) % TIMED_EVERY;
    const startedNs = timed ? this.clock.monotonicNs() : 0;
    const verdict = instance.call(message, now);
    if (timed) this.time(this.clock.monotonicNs() - startedNs, instance.fuelUsed);
    this.fuelUsed = instance.fuelUsed;
    this.work += instance.fuelUsed;
    counters.calls++;
    counters.fuel += instance.fuelUsed;
    counters.bytesIn += message.payloadEnd - message.subjectStart;
    if (verdict !== FAULT) return verdict;
    this.work += TRAP_WORK;
    if (instance.poisoned) this.instance = null;
    return this.fail({ ...instance.fault });
  }

  /** What the last call wrote. */
  get outbox(): Outbox {
    return this.seat === null ? this.instance!.outbox : this.seat.outbox;
  }

  /** What runs in its place by now: itself, as a rule; null when nothing does. */
  current(): Attachment | null {
    let current: Attachment = this;
    while (current.successor !== null) current = current.successor;
    return current.isRetired ? null : current;
  }

  /** Why it may not be asked now, or null. */
  refusalOf(message: Message, now: WallTime): Fault | null {
    if (!this.breaker.admits()) {
      return { cause: 'unavailable', text: 'the attachment is quarantined after repeated faults' };
    }
    if (this.allowance === null) return null;
    const limit = this.allowance.exceeded(message.payloadEnd - message.subjectStart, now.wallMs);
    return limit === null ? null : { cause: 'overload', text: `the attachment may have ${limit}` };
  }

  /** Takes note of an answer from beside the event loop; returns its verdict, or `FAULT` with `fault` set. */
  answered(answer: Answer, bytesIn: number): number {
    const { counters } = this;
    const { verdict, fuelUsed, ns } = answer;
    this.seat!.noteAnswer(answer);
    this.work = 0;
    this.fuelUsed = fuelUsed;
    counters.calls++;
    counters.fuel += fuelUsed;
    counters.bytesIn += bytesIn;
    counters.renewals += answer.renewals;
    if (answer.isSample && ns >= 0) this.time(ns, fuelUsed);
    return verdict === FAULT ? this.fail({ ...answer.fault }) : verdict;
  }

  /** One call stands for those that were not timed. */
  private time(ns: number, fuel: number): void {
    this.counters.timedNs += ns;
    this.counters.timedCalls++;
    this.latency.add(ns);
    this.fuelPerCall.add(fuel);
    this.allowance?.spend(ns * TIMED_EVERY);
  }

  /** Notes that the last call did what it may. */
  succeed(): void {
    this.breaker.onSuccess();
  }

  /** Notes a fault of the last call: the guest's, or one that the host found in what it wrote. */
  fail(fault: Fault): number {
    this.breaker.onFault();
    return this.note(fault);
  }

  /** Notes that no call was made, and why. */
  skip(fault: Fault): number {
    this.fuelUsed = 0;
    this.work = 0;
    return this.note(fault);
  }

  private note(fault: Fault): number {
    this.fault = fault;
    this.counters.faults[fault.cause] = (this.counters.faults[fault.cause] ?? 0) + 1;
    return FAULT;
  }

  /** Fuel that one message may cost here. */
  get fuelPerMessage(): number {
    return this.budget.fuelPerMessage;
  }

  /** What is done with a message after the present fault. */
  failureAction(message: Message): FailureAction {
    const policy = this.declaration.failure ?? {};
    const chosen = policy[this.fault.cause] ?? policy.default;
    if (chosen !== undefined) return chosen;
    if (this.phase === 'observe') return 'pass';
    // Fail closed: tell the publisher where it listens, else keep the message. Of a delivery the publisher knows nothing.
    if (this.stage === 'deliver') return 'dead-letter';
    return message.replyEnd > message.replyStart ? 'reject' : 'dead-letter';
  }

  /** Changes budgets while running. */
  setBudget(request: NonNullable<AttachmentDeclaration['budget']>): void {
    this.declaration.budget = request;
    const asked = this.version.manifest?.budget;
    this.budget = budgetOf(request, asked);
    this.emitsMax = emitsOf(request, asked);
    this.allowance = Allowance.of({ ...asked, ...request });
    this.instance?.setBudget(this.budget);
    this.seat?.setBudget();
    this.table?.setBudget(request, asked);
  }

  /** Takes on what starting the plugin in a worker led to, and makes the instance. Throws a `Failure` when the plugin refused. */
  begin(started: Started): void {
    if ('fault' in started) throw this.refusal(started.fault);
    if (this.table !== null) this.checkRefused(started.refused, this.table);
    this.image = started.image;
    // In a worker thread the first message makes it.
    if (this.declaration.tier !== 'worker') this.beginHere();
  }

  /** What the definition says must be taken; a bucket's entries are not its fault. */
  private checkRefused(refused: readonly RefusedEntry[], table: GuestTable): void {
    for (const { key, text } of refused) {
      if (Object.hasOwn(this.declaration.table?.entries ?? {}, key)) {
        throw this.refusal({ cause: 'init', text: `the entry ${JSON.stringify(key)} of its table: ${text}` });
      }
      table.undo(key, null, text);
    }
    table.endImage(true);
  }

  /** From now on new instances are copies of this one, which knows the table as it was at `beginImage`. */
  renewImage(started: Started): void {
    this.table!.endImage('image' in started);
    if ('fault' in started) return;
    this.image = started.image;
    for (const { key, text } of started.refused) this.table!.undo(key, null, text);
  }

  /** Starts the plugin here and now, however long that takes. */
  beginHere(): void {
    if (this.renew() === null) throw this.refusal(this.fault);
  }

  private refusal({ text }: Fault): Failure {
    return new Failure('attachment-refused', `plugin ${JSON.stringify(this.declaration.plugin)}: ${text}`);
  }

  /** Milliseconds between ticks; 0 is never. */
  get tickMs(): number {
    if (this.version.prepared?.hasTick !== true) return 0;
    return this.declaration.tick_ms ?? this.version.manifest?.needs.tick_ms ?? 0;
  }

  /** Whether the plugin's state outlives its instance. */
  get keepsState(): boolean {
    return this.declaration.grants?.state === true && this.version.prepared?.hasState === true;
  }

  /** Tells the plugin the time. False when it failed; else what it wrote is in its outbox. */
  tick(): boolean {
    return this.outsideMessages((instance) => instance.tick(this.clock.nowMs()));
  }

  /** Tells the plugin that no message will follow. False when it failed, or has nothing to say. */
  drain(): boolean {
    if (this.instance === null || this.version.prepared?.hasDrain !== true) return false;
    return this.outsideMessages((instance) => instance.drain());
  }

  /** Asks the plugin for its state. Null when it keeps none, or failed. */
  save(): Uint8Array | null {
    if (!this.keepsState || this.instance === null) return null;
    let state: Uint8Array | null = null;
    const saved = this.outsideMessages((instance) => {
      state = instance.save();
      return state !== null;
    });
    if (saved) this.savedState = state;
    return state;
  }

  /** Hands the plugin a state that was saved before. False when it refused it: `fault` says why. */
  restore(state: Uint8Array): boolean {
    if (this.seat !== null) {
      // The instance that the next message makes takes it on.
      this.savedState = state;
      return true;
    }
    if (!this.keepsState || !this.outsideMessages((instance) => instance.restoreState(state))) return false;
    this.savedState = state;
    return true;
  }

  /**
   * One like it, as it is now: what happens to it does not happen to this one. It costs two instances; a guest whose state cannot be copied
   * is not run.
   */
  rehearsal(): Attachment {
    const { declaration, version, clock, instance, budget, savedState } = this;
    const image = instance === null ? this.image : instance.image();
    let { damage } = this;
    if (this.breaker.quarantined) damage ??= 'the attachment is quarantined after repeated faults';
    if (!fitsLoop(declaration, budget, version.prepared))
      damage ??= 'it may take too long for the event loop: it runs for messages that are delivered only';
    if (image === null) damage ??= 'a copy of the plugin cannot be made: it runs for messages that are delivered only';
    const made = new Attachment(declaration, version, { clock, damage });
    made.budget = budget;
    made.image = image;
    made.table = this.table;
    if (instance === null) made.savedState = savedState;
    made.work = 2 * RENEWAL_WORK;
    return made;
  }

  /** Takes on what a bucket says of a key; null is nothing. False when that was refused: the table says why, and stays as it was. */
  takeEntry(key: string, value: Uint8Array | null): boolean {
    const table = this.table!;
    this.work = 0;
    const present = table.presentOf(key, value);
    const limit = present === null ? null : table.exceeded(key, present);
    if (limit !== null) {
      table.refuse(key, `the table would have ${limit}`);
      return false;
    }
    const before = table.valueOf(key);
    table.put(key, present);
    const { instance } = this;
    if (instance === null || instance.takeEntry(utf8(key), present, FUEL_FOR_ENTRY)) return true;
    table.undo(key, present === null ? null : before, instance.fault.text);
    if (instance.poisoned) this.instance = null;
    this.work = instance.fuelUsed + TRAP_WORK;
    return false;
  }

  /** Tells a new instance what its image does not know of the table. */
  private catchUp(made: Instance, table: GuestTable): boolean {
    let fuel = FUEL_FOR_INIT_ON_LOOP;
    for (const [key, value] of table.news(this.image !== null)) {
      const isTaken = made.takeEntry(utf8(key), value, Math.min(fuel, FUEL_FOR_ENTRY));
      fuel -= made.fuelUsed;
      if (isTaken) continue;
      this.fault = { ...made.fault };
      // Not the entry's fault: there is an image with it soon.
      if (fuel <= 0) return false;
      table.undo(key, null, made.fault.text);
      if (made.poisoned) return false;
    }
    this.work += FUEL_FOR_INIT_ON_LOOP - fuel;
    return true;
  }

  /** Lets go of everything: it is not to run again. */
  retire(): void {
    this.isRetired = true;
    this.endTrial();
    this.release();
    this.feed?.close();
    this.feed = null;
  }

  /** Ends what is tried out beside it. */
  endTrial(): void {
    // A message that is on its way to it goes to this one.
    if (this.canary !== null) this.canary.attachment.successor = this;
    this.canary?.attachment.retire();
    this.shadow?.candidate.retire();
    this.canary = null;
    this.shadow = null;
  }

  /** Lets go of the instance; the next message would make another one. */
  release(): void {
    this.instance = null;
    this.seat?.release();
  }

  private outsideMessages(run: (instance: Instance) => boolean): boolean {
    this.fuelUsed = 0;
    this.work = 0;
    const instance = this.instance ?? this.renew();
    if (instance === null) {
      this.fail(this.fault);
      return false;
    }
    const done = run(instance);
    this.fuelUsed = instance.fuelUsed;
    this.work += instance.fuelUsed;
    this.counters.fuel += instance.fuelUsed;
    if (done) return true;
    this.work += TRAP_WORK;
    if (instance.poisoned) this.instance = null;
    this.fail({ ...instance.fault });
    return false;
  }

  /** Another instance, as after a trap; or why there is none. */
  another(): Instance | Fault {
    return this.renew() ?? this.fault;
  }

  private renew(): Instance | null {
    const { version, budget, config, image } = this;
    const { prepared } = version;
    if (this.damage !== null || prepared === null) {
      this.fault = { cause: 'unavailable', text: this.damage ?? 'the module is not compiled' };
      return null;
    }
    if (this.seat !== null) {
      this.fault = { cause: 'unavailable', text: 'the attachment works in the worker tier alone' };
      return null;
    }
    const made = image === null ? Instance.create(prepared, budget, config) : Instance.restore(prepared, budget, image);
    this.counters.renewals++;
    this.work += RENEWAL_WORK;
    if (!(made instanceof Instance)) {
      this.fault = made;
      return null;
    }
    if (this.savedState !== null && this.keepsState && !made.restoreState(this.savedState)) {
      // The next one begins anew: a state that cannot be taken on must not keep the plugin from working for ever.
      this.savedState = null;
      this.fault = { cause: 'init', text: `the saved state was refused: ${made.fault.text}` };
      return null;
    }
    if (this.table !== null && !this.catchUp(made, this.table)) return null;
    this.instance = made;
    return made;
  }
}
