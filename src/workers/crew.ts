import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Budget } from '../sandbox/budget.js';
import { FAULT_CAUSES } from '../sandbox/fault.js';
import { type Frame, MovingFrame } from '../sandbox/frame.js';
import { FAULT } from '../sandbox/instance.js';
import { outboxBytes, type Target, writeOutbox } from './outbox-writer.js';
import {
  ANSWER_BYTES,
  AnswerWord,
  BY_PORT,
  CallKind,
  NO_SAMPLE,
  Phase,
  type Posted,
  REQUEST_BYTES,
  RequestWord,
  StatusWord,
  type ThreadMemory,
  TIMED,
} from './protocol.js';
import { RingReader, RingWriter, recordBytesMax } from './ring.js';
import { Slot } from './slot.js';

/** So many answers may wait before the event loop is woken for them. */
const ANSWERS_PER_WAKE = 16;
/** And so long, behind calls that take their time. */
const WAKE_MS = 0.25;
/** One call in so many is timed. */
const TIMED_EVERY = 64;
/** To look at the ring again when nobody says that there is room. */
const ROOM_WAIT_MS = 100;
const TEXT_BYTES_MAX = 4096;

/** A worker thread at work: takes requests from one ring, calls guests, writes answers to another one, and sleeps while there is nothing to do. */
export class Crew {
  private readonly status: Int32Array;
  private readonly requests: RingReader;
  private readonly answers: RingWriter;
  private readonly port: MessagePort;
  private readonly wake: () => void;
  private readonly slots = new Map<number, Slot>();
  /** Of the request at hand. */
  private readonly frame = new MovingFrame();
  private readonly now = { wallMs: 0 };
  private unannounced = 0;
  private announcedMs = 0;
  /** Calls since one was timed. */
  private untimed = 0;

  constructor({ status, requests, answers }: ThreadMemory, port: MessagePort, wake: () => void) {
    this.status = new Int32Array(status);
    this.requests = new RingReader(requests);
    this.answers = new RingWriter(answers);
    this.port = port;
    this.wake = wake;
  }

  /** Never returns: the thread is ended from outside. */
  run(): never {
    const { status } = this;
    for (;;) {
      const bell = Atomics.load(status, StatusWord.bell);
      this.work();
      this.announce();
      Atomics.store(status, StatusWord.workerSleeps, 1);
      if (this.requests.next() < 0) Atomics.wait(status, StatusWord.bell, bell);
      Atomics.store(status, StatusWord.workerSleeps, 0);
    }
  }

  private work(): void {
    const { requests, status } = this;
    for (let at = requests.next(); at >= 0; at = requests.next()) {
      Atomics.store(status, StatusWord.phase, Phase.calling);
      Atomics.add(status, StatusWord.begun, 1);
      this.serve(at);
      Atomics.store(status, StatusWord.phase, Phase.idle);
      requests.release(at);
      const due = ++this.unannounced >= ANSWERS_PER_WAKE || performance.now() - this.announcedMs >= WAKE_MS;
      if (due) this.announce();
    }
  }

  /** Tells the event loop, unless it is looking already. */
  private announce(): void {
    if (this.unannounced === 0) return;
    this.unannounced = 0;
    this.announcedMs = performance.now();
    if (Atomics.exchange(this.status, StatusWord.loopSleeps, 0) === 1) this.wake();
  }

  private serve(at: number): void {
    const { view } = this.requests;
    const guest = view.getInt32(at + RequestWord.guest * 4, true);
    const slot = this.slots.get(guest) ?? this.settleIn(guest);
    slot.begin();
    const before = slot.renewals;
    const isSample = this.untimed === 0;
    this.untimed = (this.untimed + 1) % TIMED_EVERY;
    const timed = isSample || (view.getInt32(at + RequestWord.flags * 4, true) & TIMED) !== 0;
    const startedMs = timed ? performance.now() : 0;
    const verdict = this.call(slot, at);
    const ns = timed ? Math.round((performance.now() - startedMs) * 1e6) : -1;
    const flags = timed && !isSample ? NO_SAMPLE : 0;
    this.answer(slot, verdict, { ns: Math.min(ns, 2 ** 31 - 1), renewals: slot.renewals - before, flags });
  }

  /** A guest is posted with its first request, and what is posted comes in the order of the requests. */
  private settleIn(guest: number): Slot {
    const posted = this.takePosted();
    if (posted instanceof Uint8Array || posted.id !== guest) throw new Error(`guest ${guest} was not posted`);
    const slot = new Slot(posted);
    slot.onOpening = (opening) => {
      Atomics.store(this.status, StatusWord.phase, opening ? Phase.opening : Phase.calling);
    };
    this.slots.set(guest, slot);
    return slot;
  }

  private takePosted(): Posted {
    const received = receiveMessageOnPort(this.port);
    if (received === undefined) throw new Error('nothing was posted where something was expected');
    return received.message as Posted;
  }

  private call(slot: Slot, at: number): number {
    const { view } = this.requests;
    const kind = view.getInt32(at + RequestWord.kind * 4, true);
    switch (kind) {
      case CallKind.message:
        this.now.wallMs = view.getFloat64(at + RequestWord.time * 4, true);
        return slot.message(this.frameAt(at), this.now);
      case CallKind.open:
        return answerOf(slot.open());
      case CallKind.tick:
        return answerOf(slot.tick(view.getFloat64(at + RequestWord.time * 4, true)));
      case CallKind.drain:
        return answerOf(slot.drain());
      case CallKind.save:
        return answerOf(slot.save());
      case CallKind.restore:
        return answerOf(slot.restore(this.bytesAt(at).slice()));
      case CallKind.budget:
        return answerOf(slot.setBudget(JSON.parse(Buffer.from(this.bytesAt(at)).toString('utf8')) as Budget));
      default:
        this.slots.delete(view.getInt32(at + RequestWord.guest * 4, true));
        return 0;
    }
  }

  private frameAt(at: number): Frame {
    const { view, bytes } = this.requests;
    const { frame } = this;
    const word = (index: number) => view.getInt32(at + index * 4, true);
    const byPort = (word(RequestWord.flags) & BY_PORT) !== 0;
    const own = byPort ? (this.takePosted() as Uint8Array) : bytes;
    const start = byPort ? 0 : at + REQUEST_BYTES;
    frame.bytes = own;
    frame.words = byPort ? new DataView(own.buffer, own.byteOffset) : view;
    frame.subjectStart = start;
    frame.subjectEnd = start + word(RequestWord.subjectEnd);
    frame.replyStart = start + word(RequestWord.replyStart);
    frame.replyEnd = start + word(RequestWord.replyEnd);
    frame.headersStart = start + word(RequestWord.headersStart);
    frame.payloadStart = start + word(RequestWord.payloadStart);
    frame.payloadEnd = start + word(RequestWord.bytes);
    return frame;
  }

  private bytesAt(at: number): Uint8Array {
    const { view, bytes } = this.requests;
    if ((view.getInt32(at + RequestWord.flags * 4, true) & BY_PORT) !== 0) return this.takePosted() as Uint8Array;
    return bytes.subarray(at + REQUEST_BYTES, at + REQUEST_BYTES + view.getInt32(at + RequestWord.bytes * 4, true));
  }

  private answer(
    slot: Slot,
    verdict: number,
    { ns, renewals, flags }: { ns: number; renewals: number; flags: number },
  ): void {
    const failed = verdict === FAULT;
    const { outbox } = slot;
    const text = failed ? Buffer.from(slot.fault.text.slice(0, TEXT_BYTES_MAX), 'utf8') : null;
    const textBytes = text?.length ?? 0;
    const needed = failed ? 0 : outboxBytes(outbox);
    const byPort = ANSWER_BYTES + needed + textBytes > recordBytesMax(this.answers.capacity);
    const at = this.room(byPort ? ANSWER_BYTES : ANSWER_BYTES + needed + textBytes);
    const { view } = this.answers;
    let written = 0;
    if (byPort) written = this.post(slot, needed);
    else if (needed > 0) written = writeOutbox(this.answers, at + ANSWER_BYTES, outbox) - at - ANSWER_BYTES;
    if (text !== null) this.answers.bytes.set(text, at + ANSWER_BYTES);
    const put = (index: number, value: number) => view.setInt32(at + index * 4, value, true);
    put(AnswerWord.verdict, verdict);
    put(AnswerWord.fuel, slot.fuelUsed);
    put(AnswerWord.ns, ns);
    put(AnswerWord.memoryBytes, slot.memoryBytes);
    put(AnswerWord.code, outbox.code);
    put(AnswerWord.renewals, renewals);
    put(AnswerWord.cause, failed ? FAULT_CAUSES.indexOf(slot.fault.cause) : -1);
    put(AnswerWord.outboxBytes, written);
    put(AnswerWord.textBytes, textBytes);
    put(AnswerWord.flags, byPort ? flags | BY_PORT : flags);
    this.answers.commit(ANSWER_BYTES + (byPort ? 0 : written) + textBytes);
  }

  /** Sends what is too much for the ring by the port. */
  private post({ outbox }: Slot, needed: number): number {
    const bytes = new Uint8Array(needed);
    const target: Target = { bytes, view: new DataView(bytes.buffer) };
    const written = writeOutbox(target, 0, outbox);
    this.port.postMessage(bytes, [bytes.buffer]);
    return written;
  }

  /** Room for an answer; waits while the event loop is behind. */
  private room(length: number): number {
    const { answers, status } = this;
    let at = answers.reserve(length);
    while (at < 0) {
      Atomics.store(status, StatusWord.phase, Phase.idle);
      Atomics.store(status, StatusWord.wantsRoom, 1);
      this.unannounced++;
      this.announce();
      answers.awaitReader(ROOM_WAIT_MS);
      at = answers.reserve(length);
    }
    return at;
  }
}

function answerOf(done: boolean): number {
  return done ? 0 : FAULT;
}
