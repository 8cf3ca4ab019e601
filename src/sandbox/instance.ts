import { describe } from '../base/failure.js';
import { ABI_VERSION, CONTROL_BYTES, ControlWord, ENTRY_REMOVED, RECORD_HEAD_BYTES, Verdict } from './abi.js';
import { movedBoxes, NO_BOXES, readBoxes, whyBadBoxes, whyNoControl } from './boxes.js';
import { type Budget, DEFAULT_BUDGET, FUEL_FOR_STATE, FUEL_MAX, outputAllowance, STATE_BYTES_MAX } from './budget.js';
import { CARRIED_BYTES_MAX, CARRIED_BYTES_MIN, CARRIER_NAME, type Carry, carrierTo } from './carrier.js';
import type { Fault, FaultCause } from './fault.js';
import type { Frame } from './frame.js';
import { GuestMemory } from './guest-memory.js';
import { changesOf, type Image } from './image.js';
import { PAGE_BYTES } from './limits.js';
import { PartialFrame } from './needs.js';
import { Outbox } from './outbox.js';
import type { PreparedModule } from './prepare.js';
import { HOST_MEMORY, HostExport } from './rewrite.js';

/** What `call` answers when there is a fault. */
export const FAULT = -1;

/** The first inbox and outbox. */
const INBOX_BYTES = 64 * 1024;
const OUTBOX_BYTES = 64 * 1024;

const NO_MEMORY = new GuestMemory(new ArrayBuffer(0));

/** An object, since a fraction or a large number that is handed from function to function is put on the heap each time. */
export interface WallTime {
  /** Since the epoch. */
  readonly wallMs: number;
}

type MessageFunction = (
  fuel: number,
  control: number,
  subject: number,
  subjectBytes: number,
  reply: number,
  replyBytes: number,
  headers: number,
  headersBytes: number,
  payload: number,
  payloadBytes: number,
  timestampMs: number,
  flags: number,
) => number;

interface GuestExports {
  memory: WebAssembly.Memory;
  weir_abi(): number;
  weir_open(inboxBytes: number, outboxBytes: number): number;
  weir_init?(bytes: number): number;
  weir_tick?(nowMs: number): number;
  weir_drain?(): number;
  weir_save?(): number;
  weir_restore?(bytes: number): number;
  weir_table?(keyBytes: number, valueBytes: number): number;
  [HostExport.message]: MessageFunction;
  [HostExport.refuel](fuel: number): void;
  [HostExport.fuel](): number;
  [HostExport.control]?(): number;
  [HostExport.start]?(): void;
}

type HookName = 'weir_tick' | 'weir_drain' | 'weir_save' | 'weir_restore' | 'weir_table';

function isCarried({ arenaOffset }: Frame, bytes: number): boolean {
  return arenaOffset >= 0 && bytes >= CARRIED_BYTES_MIN && bytes <= CARRIED_BYTES_MAX;
}

function globalOf(exports: GuestExports, name: string): WebAssembly.Global {
  return (exports as unknown as Record<string, WebAssembly.Global>)[name];
}

function instantiate(prepared: PreparedModule, memory: WebAssembly.Memory): GuestExports {
  const imports = { [HOST_MEMORY.module]: { [HOST_MEMORY.name]: memory } };
  return new WebAssembly.Instance(prepared.module, imports).exports as unknown as GuestExports;
}

/**
 * A running plugin. Every failure is a value: `call` answers `FAULT` and `fault` says why. After a trap the guest's memory may be in any
 * state: `poisoned` is set and the owner makes a new instance.
 */
export class Instance {
  readonly fault: Fault = { cause: 'trap', text: '' };
  readonly outbox = new Outbox();
  poisoned = false;
  /** Fuel that the last call used; its whole budget when it ran out. */
  fuelUsed = 0;
  private readonly prepared: PreparedModule;
  private readonly exports: GuestExports;
  private readonly message: MessageFunction;
  private carry: Carry | null | undefined = undefined;
  /** Of a message of which the guest looks at a part only. */
  private readonly part = new PartialFrame();
  private budget: Budget;
  /** What is left for calls that are not messages. */
  private initFuel: number;
  /** What the last call that was not a message answered. */
  private hookAnswer = 0;
  private memory = NO_MEMORY;
  private control = new Int32Array(0);
  private boxes = NO_BOXES;

  private constructor(prepared: PreparedModule, budget: Budget, memoryBytes: number) {
    this.prepared = prepared;
    this.budget = budget;
    this.initFuel = Math.min(budget.fuelForInit, FUEL_MAX);
    const maximum = Math.min(prepared.memoryPages.max, Math.floor(budget.memoryBytesMax / PAGE_BYTES));
    const memory = new WebAssembly.Memory({ initial: memoryBytes / PAGE_BYTES, maximum });
    this.exports = instantiate(prepared, memory);
    this.message = this.exports[HostExport.message];
  }

  /** Instantiates, runs the start function, opens inbox and outbox, and hands over the configuration (JSON text). */
  static create(prepared: PreparedModule, budget: Budget, config: string): Instance | Fault {
    const made = Instance.make(prepared, budget, prepared.memoryPages.min * PAGE_BYTES);
    if (!(made instanceof Instance)) return made;
    const ready = made.start() && made.checkAbi() && made.open(INBOX_BYTES, OUTBOX_BYTES) && made.init(config);
    return ready ? made : made.fault;
  }

  /** As `create` with the configuration that the image was made with, without running the guest. */
  static restore(prepared: PreparedModule, budget: Budget, image: Image): Instance | Fault {
    const made = Instance.make(prepared, budget, image.memoryBytes);
    if (!(made instanceof Instance)) return made;
    made.boxes = image.boxes;
    prepared.stateGlobals?.forEach((name, i) => {
      globalOf(made.exports, name).value = image.globals[i];
    });
    made.renewViews();
    for (const { at, bytes } of image.changes) made.memory.bytes.set(bytes, at);
    return made;
  }

  private static make(prepared: PreparedModule, budget: Budget, memoryBytes: number): Instance | Fault {
    if (memoryBytes > budget.memoryBytesMax) {
      const text = `the module asks for ${memoryBytes} bytes of memory at once; its budget is ${budget.memoryBytesMax}`;
      return { cause: 'memory', text };
    }
    try {
      return new Instance(prepared, budget, memoryBytes);
    } catch (error) {
      const cause = error instanceof RangeError ? 'memory' : 'trap';
      return { cause, text: `cannot instantiate: ${describe(error)}` };
    }
  }

  /** The guest's present state, or null when it has state that cannot be kept. Looks at all of its memory. */
  image(): Image | null {
    const { stateGlobals, memoryPages } = this.prepared;
    if (stateGlobals === null) return null;
    const fresh = new WebAssembly.Memory({ initial: memoryPages.min, maximum: memoryPages.max });
    instantiate(this.prepared, fresh);
    const memory = new Uint8Array(this.exports.memory.buffer);
    return {
      memoryBytes: memory.length,
      changes: changesOf(memory, new Uint8Array(fresh.buffer)),
      globals: stateGlobals.map((name) => globalOf(this.exports, name).value),
      boxes: this.boxes,
    };
  }

  /** Fuel that the start function, `weir_open` and `weir_init` used together. */
  get startFuel(): number {
    return Math.min(this.budget.fuelForInit, FUEL_MAX) - this.initFuel;
  }

  /** Takes effect with the next call; another memory budget needs a new instance. */
  setBudget(budget: Budget): void {
    this.budget = budget;
  }

  /** Bytes of linear memory at present. */
  get memoryBytes(): number {
    return this.exports.memory.buffer.byteLength;
  }

  /** One message. Returns the verdict, or `FAULT`. What the call wrote is in `outbox` until the next call. */
  call(frame: Frame, now: WallTime): number {
    const { needs } = this.prepared;
    const whole = needs.payloadBytes >= frame.payloadEnd - frame.payloadStart;
    if (whole && (needs.headers || frame.headersStart === frame.payloadStart)) return this.callOn(frame, now);
    return this.callOn(this.part.of(frame, needs), now);
  }

  private callOn(frame: Frame, now: WallTime): number {
    const { subjectStart } = frame;
    const frameBytes = frame.payloadEnd - subjectStart;
    if (frameBytes > this.boxes.inboxCapacity && !this.enlargeForMessage(frameBytes)) return FAULT;
    const fuel = this.budget.fuelPerMessage;
    let verdict: number;
    try {
      const carry = isCarried(frame, frameBytes) ? this.carrier() : null;
      verdict =
        carry === null
          ? this.copyAndCall(frame, now)
          : carry(
              fuel,
              this.boxes.control,
              this.boxes.inbox,
              frame.arenaOffset + subjectStart,
              frameBytes,
              frame.subjectEnd - subjectStart,
              frame.replyStart - subjectStart,
              frame.replyEnd - frame.replyStart,
              frame.headersStart - subjectStart,
              frame.payloadStart - subjectStart,
              now.wallMs,
            );
    } catch (error) {
      this.fuelUsed = this.fuelSince(fuel);
      return this.trapped(error, 'weir_message');
    }
    if (this.control.length === 0) this.renewViews();
    const control = this.control;
    this.fuelUsed = fuel - control[ControlWord.fuelLeft];
    control[ControlWord.fuelLeft] = 0;
    const output = control[ControlWord.outboxLength] >>> 0;
    if (output > 0) {
      if (!this.readOutbox(output, frameBytes)) return FAULT;
    } else if (!this.outbox.isEmpty) this.outbox.clear();
    if (verdict >= Verdict.pass && verdict <= Verdict.replace) return verdict;
    return this.lessUsual(verdict);
  }

  /** Of frames that the carrier does not take: they lie elsewhere, or are large. */
  private copyAndCall(frame: Frame, now: WallTime): number {
    const { subjectStart, replyStart, headersStart, payloadStart, payloadEnd } = frame;
    const inbox = this.boxes.inbox;
    this.memory.copyIn(inbox, frame.bytes, frame.words, subjectStart, payloadEnd - subjectStart);
    const shift = inbox - subjectStart;
    return this.message(
      this.budget.fuelPerMessage,
      this.boxes.control,
      inbox,
      frame.subjectEnd - subjectStart,
      replyStart + shift,
      frame.replyEnd - replyStart,
      headersStart + shift,
      payloadStart - headersStart,
      payloadStart + shift,
      payloadEnd - payloadStart,
      now.wallMs,
      0,
    );
  }

  /** Made at the first frame that lies in the arena. */
  private carrier(): Carry | null {
    if (this.carry === undefined) this.carry = carrierTo(this.exports.memory, this.message);
    return this.carry;
  }

  /** Tells the guest the time, for what it does between messages. False after a fault; what it wrote is in `outbox`. */
  tick(nowMs: number): boolean {
    return this.hook('weir_tick', this.budget.fuelPerMessage, () => this.exports.weir_tick!(nowMs));
  }

  /** Tells the guest that no message will follow. */
  drain(): boolean {
    return this.hook('weir_drain', this.budget.fuelPerMessage, () => this.exports.weir_drain!());
  }

  /** The guest's state in its own words, or null after a fault. */
  save(): Uint8Array | null {
    const save = () => this.exports.weir_save!();
    const output = STATE_BYTES_MAX + RECORD_HEAD_BYTES;
    this.outbox.acceptsState = true;
    try {
      if (!this.hook('weir_save', FUEL_FOR_STATE, save, output)) return null;
      const wanted = this.hookAnswer;
      if (wanted > 0) {
        // It found no room for so many bytes.
        if (wanted > STATE_BYTES_MAX) {
          this.fail('output', `weir_save has ${wanted} bytes to save; at most ${STATE_BYTES_MAX} are allowed`);
          return null;
        }
        const outbox = Math.ceil((wanted + RECORD_HEAD_BYTES) / PAGE_BYTES) * PAGE_BYTES;
        if (!this.open(this.boxes.inboxCapacity, outbox) || !this.hook('weir_save', FUEL_FOR_STATE, save, output))
          return null;
      }
      const { bytes, state } = this.outbox;
      return state === null ? new Uint8Array(0) : bytes.slice(state.start, state.end);
    } finally {
      this.outbox.acceptsState = false;
    }
  }

  /** Hands over what another instance saved. */
  restoreState(state: Uint8Array): boolean {
    this.initFuel = FUEL_FOR_STATE;
    if (state.length > this.boxes.inboxCapacity && !this.enlarge(state.length)) return false;
    this.memory.bytes.set(state, this.boxes.inbox);
    return this.hook('weir_restore', FUEL_FOR_STATE, () => this.exports.weir_restore!(state.length));
  }

  /** Hands over an entry of the attachment's table; a value of null takes it out. False when the guest refused it, or failed: `fault` says why. */
  takeEntry(key: Uint8Array, value: Uint8Array | null, fuel: number): boolean {
    const bytes = key.length + (value?.length ?? 0);
    this.initFuel = Math.min(fuel, FUEL_MAX);
    if (bytes > this.boxes.inboxCapacity && !this.enlarge(bytes)) return false;
    this.memory.bytes.set(key, this.boxes.inbox);
    if (value !== null) this.memory.bytes.set(value, this.boxes.inbox + key.length);
    const valueBytes = value?.length ?? ENTRY_REMOVED;
    if (!this.hook('weir_table', fuel, () => this.exports.weir_table!(key.length, valueBytes))) return false;
    if (this.hookAnswer === 0) return true;
    this.fail('guest-error', `weir_table answered ${this.hookAnswer}; 0 is taken, negative is refused`);
    return false;
  }

  /** A call that is not a message. Answers that are negative are the guest's errors. */
  private hook(name: HookName, fuel: number, run: () => number, output = this.budget.outputBytesMax): boolean {
    if (this.exports[name] === undefined) {
      this.fail('guest-error', `the module does not export ${name}`);
      return false;
    }
    this.initFuel = Math.min(fuel, FUEL_MAX);
    this.control[ControlWord.outboxLength] = 0;
    const answer = this.guarded(name, run);
    if (answer === null) return false;
    this.hookAnswer = answer;
    if (this.control.length === 0) this.renewViews();
    const length = this.control[ControlWord.outboxLength] >>> 0;
    this.outbox.clear();
    if (length > 0 && !this.readRecords(length, Math.min(this.boxes.outboxCapacity, output))) return false;
    if (answer >= 0) return true;
    this.fail('guest-error', `${name} answered ${answer}${this.outbox.error === '' ? '' : `: ${this.outbox.error}`}`);
    return false;
  }

  private lessUsual(verdict: number): number {
    if (verdict === Verdict.reject) {
      const code = this.control[ControlWord.code] >>> 0;
      this.outbox.code = code === 0 ? 400 : code;
      if (this.outbox.code >= 400 && this.outbox.code <= 599) return verdict;
      return this.fail('guest-error', `weir_message rejected with the code ${code}; 400 to 599 are allowed`);
    }
    if (verdict < 0) {
      return this.fail(
        'guest-error',
        `weir_message answered ${verdict}${this.outbox.error === '' ? '' : `: ${this.outbox.error}`}`,
      );
    }
    return this.fail('guest-error', `weir_message answered ${verdict}; verdicts are 0 to 3, and negative for an error`);
  }

  private start(): boolean {
    const start = this.exports[HostExport.start];
    return start === undefined || this.guarded('the start function', () => start()) !== null;
  }

  private checkAbi(): boolean {
    const abi = this.guarded('weir_abi', () => this.exports.weir_abi());
    if (abi === null) return false;
    if (abi === ABI_VERSION) return true;
    this.fail('init', `weir_abi answered ${abi}; this host speaks version ${ABI_VERSION}`);
    return false;
  }

  private enlargeForMessage(frameBytes: number): boolean {
    this.initFuel = Math.max(this.budget.fuelPerMessage, DEFAULT_BUDGET.fuelPerMessage);
    return this.enlarge(frameBytes);
  }

  /** Makes room for larger frames, and for what such a frame may lead to. */
  private enlarge(frameBytes: number): boolean {
    const inbox = Math.ceil(frameBytes / PAGE_BYTES) * PAGE_BYTES;
    const outbox = Math.min(inbox * 2 + OUTBOX_BYTES, Math.max(OUTBOX_BYTES, this.budget.outputBytesMax));
    return this.open(inbox, outbox);
  }

  private open(inboxBytes: number, outboxBytes: number): boolean {
    const at = this.guarded('weir_open', () => this.exports.weir_open(inboxBytes, outboxBytes));
    if (at === null) return false;
    if (at === 0) {
      this.fail('memory', `weir_open(${inboxBytes}, ${outboxBytes}) answered 0: the guest has no room for them`);
      // It may have grown the memory before it gave up.
      if (this.boxes.control !== 0) this.renewViews();
      return false;
    }
    const memoryBytes = this.memoryBytes;
    const address = at >>> 0;
    const nowhere = whyNoControl(address, memoryBytes);
    if (nowhere !== null) {
      this.fail('output', `weir_open answered ${nowhere}`);
      this.poisoned = true;
      return false;
    }
    const boxes = readBoxes(this.exports.memory.buffer, address);
    const problem = whyBadBoxes(boxes, inboxBytes, outboxBytes, memoryBytes);
    this.boxes = boxes;
    this.renewViews();
    if (problem === null) return true;
    this.fail('output', `after weir_open(${inboxBytes}, ${outboxBytes}) ${problem}`);
    this.poisoned = true;
    this.boxes = { ...boxes, inboxCapacity: 0 };
    return false;
  }

  private init(config: string): boolean {
    if (!this.prepared.hasInit) return true;
    const bytes = Buffer.from(config, 'utf8');
    if (bytes.length > this.boxes.inboxCapacity && !this.enlarge(bytes.length)) return false;
    this.memory.bytes.set(bytes, this.boxes.inbox);
    this.control[ControlWord.outboxLength] = 0;
    const answer = this.guarded('weir_init', () => this.exports.weir_init!(bytes.length));
    if (answer === null) return false;
    if (this.control.length === 0) this.renewViews();
    const output = this.control[ControlWord.outboxLength] >>> 0;
    if (output === 0) this.outbox.clear();
    else if (!this.readOutbox(output, bytes.length)) return false;
    if (answer === 0) return true;
    this.fail('init', `the configuration was refused: ${this.outbox.error || `weir_init answered ${answer}`}`);
    return false;
  }

  /** Runs a call that is not a message on what is left for such calls; null after a fault. */
  private guarded<T>(what: string, run: () => T): T | null {
    const fuel = this.initFuel;
    try {
      this.exports[HostExport.refuel](fuel);
      const answer = run();
      this.fuelUsed = this.fuelSince(fuel);
      this.initFuel -= this.fuelUsed;
      return answer;
    } catch (error) {
      this.fuelUsed = this.fuelSince(fuel);
      this.trapped(error, what);
      return null;
    }
  }

  private fuelSince(fuel: number): number {
    return Math.min(fuel, fuel - this.exports[HostExport.fuel]());
  }

  private readOutbox(length: number, inputBytes: number): boolean {
    this.outbox.clear();
    const { outputBytesMax, outputByInput } = this.budget;
    const byInput = outputByInput ? outputAllowance(inputBytes) : outputBytesMax;
    return this.readRecords(length, Math.min(this.boxes.outboxCapacity, outputBytesMax, byInput));
  }

  private readRecords(length: number, allowed: number): boolean {
    if (length > allowed) {
      this.fail('output', `the outbox holds ${length} bytes; at most ${allowed} are allowed`);
      return false;
    }
    const problem = this.outbox.read(this.memory, this.boxes.outbox, this.boxes.outbox + length);
    if (problem === null) return true;
    this.fail('output', problem);
    return false;
  }

  /** `memory.grow` detaches every view of the memory. */
  private renewViews(): void {
    const { buffer } = this.exports.memory;
    if (this.prepared.isComponent && this.boxes.control !== 0) this.followBoxes(buffer);
    this.memory = new GuestMemory(buffer);
    this.control = new Int32Array(buffer, this.boxes.control, CONTROL_BYTES / 4);
  }

  /** A component's boxes lie behind its memory, and move when that grows. */
  private followBoxes(buffer: ArrayBuffer): void {
    const control = this.exports[HostExport.control]!() >>> 0;
    if (control !== this.boxes.control && control <= buffer.byteLength - CONTROL_BYTES) {
      this.boxes = movedBoxes(this.boxes, control);
    }
  }

  private trapped(error: unknown, what: string): number {
    this.poisoned = true;
    if (this.exports[HostExport.fuel]() < 0) {
      return this.fail('fuel', `${what} used up its fuel (${this.fuelUsed})${this.whereIn(error)}`);
    }
    const text = error instanceof RangeError ? 'stack overflow' : describe(error);
    return this.fail('trap', `${what} trapped: ${text}${this.whereIn(error)}`);
  }

  /** The innermost guest functions of a trap, by name. */
  private whereIn(error: unknown): string {
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    const own = stack.split('\n').filter((line) => !line.includes(CARRIER_NAME));
    const frames = [...own.join('\n').matchAll(/wasm-function\[(\d+)\]/g)].slice(0, 4);
    if (frames.length === 0) return '';
    const names = frames.map(([, index]) => this.prepared.functionNames.get(Number(index)) ?? `function ${index}`);
    return `, in ${names.join(' < ')}`;
  }

  private fail(cause: FaultCause, text: string): number {
    this.fault.cause = cause;
    this.fault.text = text;
    return FAULT;
  }
}
