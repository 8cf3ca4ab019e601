import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { textOf } from '../base/bytes.js';
import type { Clock, Timer } from '../base/clock.js';
import { Fifo } from '../base/fifo.js';
import { FAULT_CAUSES, type Fault } from '../sandbox/fault.js';
import { Answer, type Asked, type Call } from './call.js';
import {
  ANSWER_BYTES,
  AnswerWord,
  BY_PORT,
  CallKind,
  NO_SAMPLE,
  Phase,
  REQUEST_BYTES,
  RequestWord,
  STATUS_BYTES,
  StatusWord,
  type ThreadMemory,
  TIMED,
} from './protocol.js';
import { RingReader, RingWriter, recordBytesMax, ringMemory } from './ring.js';

const RING_BYTES = 1024 * 1024;
/** Answers that are dealt with in one turn of the event loop. */
const ANSWERS_PER_TURN = 256;
/** Requests after which the worker is woken although more may follow at once. */
const REQUESTS_PER_BELL = 64;
/** What making an instance may take. */
const OPENING_MS_MAX = 5_000;
/** The watchdog looks this often within what a call may take: a machine that is busy elsewhere does not look like a guest that is stuck. */
const LOOKS = 5;
const LOOK_MS_MIN = 2;
const LOOK_MS_MAX = 10;
/** Threads that ended one after the other without having done anything, until what waits is given up. */
const FAILURES_MAX = 3;

/** The worker that is running, and all that goes with it. */
interface Running {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly status: Int32Array;
  readonly requests: RingWriter;
  readonly answers: RingReader;
}

/** One worker thread of the tier, as the event loop sees it: when the worker ends, another one takes over. */
export class TierThread {
  readonly number: number;
  readonly guests = new Set<Asked>();
  /** Workers that had to be replaced. */
  restarts = 0;
  private readonly clock: Clock;
  private running: Running | null = null;
  /** Calls in the worker's ring, and those that found no room in it; in the order in which they were made. */
  private readonly sent = new Fifo<Call>();
  private readonly waiting = new Fifo<Call>();
  private readonly answer = new Answer();
  /** Calls that the worker was given, less those that were decided without it; and answers that came. */
  private collected = 0;
  private unrung = 0;
  private bellDue = false;
  /** Whether the rest of many answers waits for the next turn. */
  private restDue = false;
  private failures = 0;
  private watch: Timer | null = null;
  private seenBegun = 0;
  private seenPhase = 0;
  private sinceNs = 0;
  private looks = 0;
  private closed = false;

  constructor(number: number, clock: Clock) {
    this.number = number;
    this.clock = clock;
  }

  /** Calls that were not answered yet. */
  get depth(): number {
    return this.sent.length + this.waiting.length;
  }

  get isRunning(): boolean {
    return this.running !== null;
  }

  hasCallsOf(guest: Asked): boolean {
    const calls = [...this.sent.list(), ...this.waiting.list()];
    return calls.some((call) => call.guest === guest);
  }

  join(guest: Asked): void {
    this.guests.add(guest);
  }

  leave(guest: Asked): void {
    this.guests.delete(guest);
  }

  send(call: Call): void {
    if (this.depth === 0 && call.decided) {
      this.settle(call);
      return;
    }
    if (this.closed) {
      call.guest.settle(call, this.answer.failed({ cause: 'unavailable', text: 'the server is stopping' }));
      return;
    }
    this.running ??= this.start();
    if (this.waiting.length > 0 || !this.write(this.running, call)) this.waiting.push(call);
    if (this.watch === null) this.startWatch();
  }

  /** Ends the worker; what still waits is answered with a fault. */
  async close(): Promise<void> {
    this.closed = true;
    this.stopWatch();
    const { running } = this;
    this.running = null;
    await running?.worker.terminate();
    this.giveUp({ cause: 'unavailable', text: 'the server is stopping' });
  }

  /** Ends the worker while there is nothing to do; the next call starts another one. */
  rest(): void {
    if (this.depth > 0) return;
    this.stopWatch();
    const { running } = this;
    this.running = null;
    for (const guest of this.guests) guest.posted = false;
    void running?.worker.terminate();
  }

  private start(): Running {
    const memory: ThreadMemory = {
      status: new SharedArrayBuffer(STATUS_BYTES),
      requests: ringMemory(RING_BYTES),
      answers: ringMemory(RING_BYTES),
    };
    const { port1: port, port2 } = new MessageChannel();
    const inSource = import.meta.url.endsWith('.ts');
    const url = new URL(inSource ? '../../dist/tier-worker.js' : './tier-worker.js', import.meta.url);
    const worker = new Worker(url, {
      workerData: { memory, port: port2 },
      transferList: [port2],
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    });
    const status = new Int32Array(memory.status);
    const running = {
      ...{ worker, port, status },
      requests: new RingWriter(memory.requests),
      answers: new RingReader(memory.answers),
    };
    worker.unref();
    port.unref();
    Atomics.store(status, StatusWord.loopSleeps, 1);
    worker.on('message', () => this.collect());
    let why: Fault | null = null;
    worker.on('error', (error) => {
      why = faultOf(error);
    });
    worker.on('exit', (code) => {
      if (this.running === running)
        this.onEnd(why ?? { cause: 'trap', text: `the worker thread ended with code ${code}` });
    });
    this.collected = 0;
    // What was seen of another worker's calls says nothing about this one's.
    this.seenPhase = Phase.idle;
    return running;
  }

  // ---- requests ----

  /** False when there is no room now. */
  private write(running: Running, call: Call): boolean {
    if (!call.decided) {
      const { frame, data } = call;
      const length = frame === null ? (data?.length ?? 0) : frame.payloadEnd - frame.subjectStart;
      const byPort = REQUEST_BYTES + length > recordBytesMax(RING_BYTES);
      const at = running.requests.reserve(REQUEST_BYTES + (byPort ? 0 : length));
      if (at < 0) {
        this.ring(running);
        return false;
      }
      if (!call.guest.posted) {
        running.port.postMessage(call.guest.spec);
        call.guest.posted = true;
      }
      this.writeAt(running, at, call, { length, byPort });
    }
    this.sent.push(call);
    if (++this.unrung >= REQUESTS_PER_BELL) this.ring(running);
    else if (!this.bellDue) {
      // At the end of what is being done now: a chunk from a socket brings many messages.
      this.bellDue = true;
      queueMicrotask(() => {
        this.bellDue = false;
        if (this.running !== null) this.ring(this.running);
      });
    }
    return true;
  }

  private writeAt(
    { requests, port }: Running,
    at: number,
    { kind, guest, frame, data, wallMs, timed }: Call,
    { length, byPort }: { length: number; byPort: boolean },
  ): void {
    const { view, bytes } = requests;
    view.setInt32(at + RequestWord.kind * 4, kind, true);
    view.setInt32(at + RequestWord.guest * 4, guest.id, true);
    view.setInt32(at + RequestWord.flags * 4, (byPort ? BY_PORT : 0) | (timed ? TIMED : 0), true);
    view.setInt32(at + RequestWord.bytes * 4, length, true);
    view.setFloat64(at + RequestWord.time * 4, wallMs, true);
    if (frame !== null) {
      const start = frame.subjectStart;
      view.setInt32(at + RequestWord.subjectEnd * 4, frame.subjectEnd - start, true);
      view.setInt32(at + RequestWord.replyStart * 4, frame.replyStart - start, true);
      view.setInt32(at + RequestWord.replyEnd * 4, frame.replyEnd - start, true);
      view.setInt32(at + RequestWord.headersStart * 4, frame.headersStart - start, true);
      view.setInt32(at + RequestWord.payloadStart * 4, frame.payloadStart - start, true);
    }
    const source = frame === null ? data : frame.bytes.subarray(frame.subjectStart, frame.payloadEnd);
    if (source !== null && byPort) {
      const copy = source.slice();
      port.postMessage(copy, [copy.buffer as ArrayBuffer]);
    } else if (source !== null) bytes.set(source, at + REQUEST_BYTES);
    requests.commit(REQUEST_BYTES + (byPort ? 0 : length));
    // Behind this one it is unknown again.
    if (kind === CallKind.close) guest.posted = false;
  }

  private ring({ status }: Running): void {
    if (this.unrung === 0) return;
    this.unrung = 0;
    Atomics.add(status, StatusWord.bell, 1);
    if (Atomics.load(status, StatusWord.workerSleeps) === 1) Atomics.notify(status, StatusWord.bell);
  }

  /** Writes what waited for room. */
  private refill(running: Running): void {
    for (let call = this.waiting.first; call !== undefined; call = this.waiting.first) {
      if (!this.write(running, call)) return;
      this.waiting.shift();
    }
  }

  // ---- answers ----

  /** Deals with answers that are there; the rest of many waits for the next turn. */
  private collect(): void {
    const { running } = this;
    if (running === null || this.restDue || this.collectSome(running, ANSWERS_PER_TURN)) return;
    this.restDue = true;
    setImmediate(() => {
      this.restDue = false;
      this.collect();
    });
  }

  /** Deals with at most so many; answers whether those were all, and the worker will say when there are others. */
  private collectSome(running: Running, most: number): boolean {
    const { answers, status } = running;
    for (let count = 0; this.running === running; ) {
      const at = answers.next();
      if (at < 0) {
        this.refill(running);
        Atomics.store(status, StatusWord.loopSleeps, 1);
        if (answers.next() < 0 || Atomics.exchange(status, StatusWord.loopSleeps, 0) === 0) return true;
        continue;
      }
      if (count++ === most) return false;
      this.take(running, at);
    }
    return true;
  }

  private take({ answers, port, status }: Running, at: number): void {
    const call = this.sent.shift()!;
    this.collected++;
    this.failures = 0;
    this.read(answers, port, at, call);
    call.guest.memoryBytes = this.answer.memoryBytes;
    call.guest.settle(call, this.answer);
    answers.release(at);
    if (status[StatusWord.wantsRoom] === 1) {
      Atomics.store(status, StatusWord.wantsRoom, 0);
      answers.wakeWriter();
    }
    this.settleDecided();
  }

  private settleDecided(): void {
    while (this.sent.first?.decided === true) this.settle(this.sent.shift()!);
  }

  private settle(call: Call): void {
    call.guest.settle(call, this.answer.failed(DECIDED));
  }

  private read({ view, bytes }: RingReader, port: MessagePort, at: number, { kind }: Call): void {
    const { answer } = this;
    const word = (index: number) => view.getInt32(at + index * 4, true);
    const [outboxBytes, textBytes] = [word(AnswerWord.outboxBytes), word(AnswerWord.textBytes)];
    const flags = word(AnswerWord.flags);
    const byPort = (flags & BY_PORT) !== 0;
    const cause = word(AnswerWord.cause);
    const textAt = at + ANSWER_BYTES + (byPort ? 0 : outboxBytes);
    answer.failed(
      cause < 0 ? DECIDED : { cause: FAULT_CAUSES[cause], text: textOf(bytes, textAt, textAt + textBytes) },
    );
    answer.verdict = word(AnswerWord.verdict);
    answer.fuelUsed = word(AnswerWord.fuel);
    answer.ns = word(AnswerWord.ns);
    answer.isSample = (flags & NO_SAMPLE) === 0;
    answer.memoryBytes = word(AnswerWord.memoryBytes);
    answer.renewals = word(AnswerWord.renewals);
    const { outbox } = answer;
    if (outboxBytes > 0) {
      const own = byPort ? (receiveMessageOnPort(port)!.message as Uint8Array) : bytes;
      const words = byPort ? new DataView(own.buffer, own.byteOffset) : view;
      const start = byPort ? 0 : at + ANSWER_BYTES;
      outbox.acceptsState = kind === CallKind.save;
      const problem = outbox.read({ bytes: own, words }, start, start + outboxBytes);
      if (problem !== null) answer.failed({ cause: 'output', text: problem });
    }
    outbox.code = word(AnswerWord.code);
  }

  // ---- the watchdog, and the end of a worker ----

  private startWatch(): void {
    this.looks = 0;
    this.sinceNs = this.clock.monotonicNs();
    this.watch = this.clock.after(this.lookMs(), () => this.look());
  }

  private stopWatch(): void {
    this.watch?.cancel();
    this.watch = null;
  }

  private lookMs(): number {
    let most = LOOK_MS_MAX;
    for (const { watchdogMs } of this.guests) most = Math.min(most, watchdogMs / LOOKS);
    return Math.max(LOOK_MS_MIN, most);
  }

  private look(): void {
    this.watch = null;
    // The worker does not say that there are answers while the next call keeps it.
    this.collect();
    const { running } = this;
    if (running === null || this.depth === 0 || this.watch !== null) return;
    const { status } = running;
    const begun = Atomics.load(status, StatusWord.begun);
    const phase = Atomics.load(status, StatusWord.phase);
    if (begun !== this.seenBegun || phase !== this.seenPhase || phase === Phase.idle) {
      this.seenBegun = begun;
      this.seenPhase = phase;
      this.startWatch();
      return;
    }
    this.looks++;
    const call = this.callAtHand(begun);
    const limitMs = phase === Phase.opening ? OPENING_MS_MAX : (call?.guest.watchdogMs ?? 0);
    const tookMs = (this.clock.monotonicNs() - this.sinceNs) / 1e6;
    if (call === undefined || tookMs < limitMs || this.looks < LOOKS) {
      this.watch = this.clock.after(this.lookMs(), () => this.look());
      return;
    }
    const what = phase === Phase.opening ? 'the instance was not ready' : 'the call had not ended';
    call.guest.stuck++;
    const text = `${what} after ${Math.round(tookMs)} ms; ${limitMs} are allowed`;
    this.onEnd({ cause: 'watchdog', text }, Math.round(tookMs * 1e6));
  }

  /** The one that the worker began last, while it was not answered. */
  private callAtHand(begun: number): Call | undefined {
    let index = ((begun - this.collected) | 0) - 1;
    for (const call of this.sent.list()) {
      if (call.decided) continue;
      if (index-- === 0) return call;
    }
    return undefined;
  }

  /** The worker is of no more use: what it answered counts, the call at hand failed, and another worker does the rest. */
  private onEnd(fault: Fault, ns = -1): void {
    const running = this.running!;
    this.stopWatch();
    while (!this.collectSome(running, Number.POSITIVE_INFINITY));
    const { status } = running;
    const atHand = Atomics.load(status, StatusWord.phase) !== Phase.idle;
    const culprit = atHand ? this.callAtHand(Atomics.load(status, StatusWord.begun)) : undefined;
    this.running = null;
    this.restarts++;
    void running.worker.terminate();
    running.port.close();
    for (const guest of this.guests) guest.posted = false;
    const rest = [...this.sent.takeAll(), ...this.waiting.takeAll()];
    if (culprit === undefined && ++this.failures >= FAILURES_MAX) {
      this.failures = 0;
      for (const call of rest) call.guest.settle(call, this.answer.failed({ ...fault, cause: 'unavailable' }));
      return;
    }
    for (const call of rest) this.waiting.push(call);
    if (culprit !== undefined) this.failFirst(culprit, fault, ns);
    if (this.depth === 0 || this.closed) return;
    this.running ??= this.start();
    this.refill(this.running);
    if (this.watch === null) this.startWatch();
  }

  /** Answers the call that ended the worker, which is the first but for those that were decided without it. */
  private failFirst(culprit: Call, fault: Fault, ns: number): void {
    for (let call = this.waiting.shift(); call !== undefined; call = this.waiting.shift()) {
      if (call !== culprit) {
        this.settle(call);
        continue;
      }
      culprit.guest.settle(culprit, this.answer.failed(fault, ns));
      break;
    }
    while (this.waiting.first?.decided === true) this.settle(this.waiting.shift()!);
  }

  private giveUp(fault: Fault): void {
    for (const call of [...this.sent.takeAll(), ...this.waiting.takeAll()]) {
      call.guest.settle(call, this.answer.failed(fault));
    }
  }
}

/** A call that nobody was asked knows itself what is to be done. */
const DECIDED: Fault = { cause: 'unavailable', text: '' };

function faultOf(error: Error & { code?: string }): Fault {
  const cause = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'trap';
  return { cause, text: `the worker thread ended: ${error.message}` };
}
