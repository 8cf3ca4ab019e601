import { composeMessage, type Message } from '../message/message.js';
import type { Fault, FaultCause } from '../sandbox/fault.js';

const FRAMES_MAX = 16;
/** A frame that is larger is noted without its payload: it can be counted, and not replayed. */
const FRAME_BYTES_MAX = 32 * 1024;
const LETTERS_MAX = 1_000;
const LETTER_BYTES_MAX = 4 * 1024 * 1024;

/** A call that failed, with everything that decided about it. Parts are in base64. */
export interface FailingFrame {
  time: string;
  cause: FaultCause;
  text: string;
  fuel: number;
  plugin: string;
  version: number;
  sha256: string;
  /** As the plugin got it. */
  config: unknown;
  /** What the plugin had saved of itself; null when it keeps nothing. */
  state: string | null;
  /** What the plugin was told of the time. */
  timestamp_ms: number;
  subject: string;
  reply: string;
  headers: string;
  /** Null when it was too large to keep. */
  payload: string | null;
}

/** What an attachment knows of its last call. */
interface FailedCall {
  readonly fault: Fault;
  readonly fuelUsed: number;
  readonly version: { readonly number: number; readonly sha256: string };
  readonly declaration: { readonly plugin: string };
  /** JSON text. */
  readonly config: string;
  readonly keepsState: boolean;
  readonly savedState: Uint8Array | null;
}

/** The last failures of an attachment, over its versions: to be looked at, replayed elsewhere, and delivered again when the plugin was mended. */
export class FailureLog {
  private frames: FailingFrame[] = [];
  private letters: Message[] = [];
  private letterBytes = 0;
  /** Letters that gave way to later ones. */
  lettersLost = 0;

  get letterCount(): number {
    return this.letters.length;
  }

  /** Oldest first. */
  capsule(): readonly FailingFrame[] {
    return this.frames;
  }

  /** Notes the fault of the last call. What failed without a call cannot be replayed. */
  note(call: FailedCall, message: Message, timestampMs: number): void {
    const { fault, version, declaration, config, fuelUsed, savedState, keepsState } = call;
    if (fault.cause === 'unavailable' || fault.cause === 'overload') return;
    const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
    const part = (start: number, end: number) => Buffer.from(bytes.subarray(start, end)).toString('base64');
    const whole = payloadEnd - subjectStart <= FRAME_BYTES_MAX;
    const state = keepsState && savedState !== null && savedState.length <= FRAME_BYTES_MAX ? savedState : null;
    if (this.frames.length === FRAMES_MAX) this.frames.shift();
    this.frames.push({
      time: new Date(timestampMs).toISOString(),
      ...{ cause: fault.cause, text: fault.text, fuel: fuelUsed },
      ...{ plugin: declaration.plugin, version: version.number, sha256: version.sha256 },
      config: JSON.parse(config),
      state: state === null ? null : Buffer.from(state).toString('base64'),
      timestamp_ms: timestampMs,
      subject: part(subjectStart, subjectEnd),
      reply: whole ? part(replyStart, replyEnd) : '',
      headers: whole ? part(headersStart, payloadStart) : '',
      payload: whole ? part(payloadStart, payloadEnd) : null,
    });
  }

  /** Keeps a message that becomes a dead letter. */
  keep(message: Message): void {
    const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
    const copy = composeMessage(
      {
        subject: bytes.subarray(subjectStart, subjectEnd),
        reply: bytes.subarray(replyStart, replyEnd),
        headers: bytes.subarray(headersStart, payloadStart),
        payload: bytes.subarray(payloadStart, payloadEnd),
      },
      message.hops,
    );
    this.letters.push(copy);
    this.letterBytes += copy.bytes.length;
    while (this.letters.length > LETTERS_MAX || this.letterBytes > LETTER_BYTES_MAX) {
      this.letterBytes -= this.letters.shift()!.bytes.length;
      this.lettersLost++;
    }
  }

  /** Takes out the oldest letters, at most so many, as long as `fits` says so of each; `give` gets them. Answers how many. */
  take(most: number, fits: (letter: Message) => boolean, give: (letter: Message) => void): number {
    let count = 0;
    for (; count < Math.min(most, this.letters.length) && fits(this.letters[count]); count++) {
      this.letterBytes -= this.letters[count].bytes.length;
      give(this.letters[count]);
    }
    this.letters.splice(0, count);
    return count;
  }
}
