import { parseJson } from '../base/json.js';
import { type Frame, MovingFrame } from './frame.js';

/** What of a message a guest looks at: the rest is not copied. */
export interface Needs {
  /** Bytes of the payload, from its start; `Infinity` is all of them. */
  readonly payloadBytes: number;
  readonly headers: boolean;
}

const EVERYTHING: Needs = { payloadBytes: Number.POSITIVE_INFINITY, headers: true };

/** What a manifest says about it. A manifest that cannot be read says nothing: whoever installs the module is told what is wrong. */
export function needsOf(manifest: string | null): Needs {
  if (manifest === null) return EVERYTHING;
  try {
    const said = parseJson(manifest) as { needs?: { payload?: unknown; headers?: unknown } } | null;
    const { payload, headers } = said?.needs ?? {};
    const bytes = payload === 'none' ? 0 : payload;
    const whole = typeof bytes !== 'number' || !(bytes >= 0);
    return { payloadBytes: whole ? EVERYTHING.payloadBytes : bytes, headers: headers !== false };
  } catch {
    return EVERYTHING;
  }
}

/** A frame without what its guest does not look at; the same object for one message after the other. */
export class PartialFrame extends MovingFrame {
  of(frame: Frame, { payloadBytes, headers }: Needs): this {
    this.bytes = frame.bytes;
    this.words = frame.words;
    this.arenaOffset = frame.arenaOffset;
    this.subjectStart = frame.subjectStart;
    this.subjectEnd = frame.subjectEnd;
    this.replyStart = frame.replyStart;
    this.replyEnd = frame.replyEnd;
    // Parts lie next to each other: what comes last is cut off, what lies between is copied and has no length.
    const nothing = payloadBytes === 0 && !headers;
    this.payloadStart = nothing ? frame.replyEnd : frame.payloadStart;
    this.payloadEnd = nothing ? frame.replyEnd : Math.min(frame.payloadEnd, frame.payloadStart + payloadBytes);
    this.headersStart = headers ? frame.headersStart : this.payloadStart;
    return this;
  }
}
