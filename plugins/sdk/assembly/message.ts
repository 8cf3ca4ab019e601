import { currentBytes, currentStart, isChanged, setText } from './document';
import { headerMistake, headersWith, headerValue } from './headers';
import { Json } from './json';
import { copyBytes } from './memory';
import { RecordKind, record, textRecord } from './outbox';

/** One JSON text for all messages: there is only one message at a time. */
export const json: Json = new Json();

// What the plugin set. Not in the message, which is no object of the heap: the collector would have to be told of every change.
let newSubject: string | null = null;
let newReply: string | null = null;
let newHeaders: string | null = null;
let newPayload: string | null = null;
/** Why the changes cannot be written. */
let mistake: string | null = null;
let isTouched: bool = false;

function forget(): void {
  newSubject = null;
  newReply = null;
  newHeaders = null;
  newPayload = null;
  mistake = null;
  isTouched = false;
}

/**
 * The message at hand. It and its bytes are the host's: what is to be kept is copied. Setters change what goes on when the verdict is
 * `Verdict.Replace`; what was set is what is read from then on.
 */
@unmanaged
export class Message {
  /** Addresses and lengths of the parts as they came, for whoever reads bytes. */
  subjectStart: usize = 0;
  subjectBytes: usize = 0;
  replyStart: usize = 0;
  replyBytes: usize = 0;
  headersStart: usize = 0;
  headersBytes: usize = 0;
  payloadStart: usize = 0;
  payloadBytes: usize = 0;
  /** When the broker got the message: milliseconds since 1970. */
  timestamp: f64 = 0;

  get subject(): string {
    return newSubject !== null ? newSubject! : String.UTF8.decodeUnsafe(this.subjectStart, this.subjectBytes);
  }

  set subject(subject: string) {
    newSubject = subject;
    isTouched = true;
  }

  /** The token with this index, counted from 0, of the subject that the message came with; empty when there are fewer. */
  subjectToken(index: i32): string {
    const start = this.tokenStart(index);
    return start == 0 ? '' : String.UTF8.decodeUnsafe(start, this.tokenEnd(start) - start);
  }

  /** Where that token begins; 0 when there are fewer. */
  tokenStart(index: i32): usize {
    const end = this.subjectStart + this.subjectBytes;
    let at = this.subjectStart;
    for (; index > 0 && at < end; at++) if (load<u8>(at) == 0x2e) index--;
    return index == 0 && at < end ? at : 0;
  }

  /** Where the token that begins at `start` ends. */
  tokenEnd(start: usize): usize {
    const end = this.subjectStart + this.subjectBytes;
    while (start < end && load<u8>(start) != 0x2e) start++;
    return start;
  }

  /** The subject that an answer goes to; empty when none is expected. */
  get reply(): string {
    return newReply !== null ? newReply! : String.UTF8.decodeUnsafe(this.replyStart, this.replyBytes);
  }

  set reply(reply: string) {
    newReply = reply;
    isTouched = true;
  }

  /** The first value of a header; null when it is not there. Names are compared letter by letter. */
  header(name: string): string | null {
    if (newHeaders === null) return headerValue(this.headersStart, this.headersBytes, name);
    const block = String.UTF8.encode(newHeaders!);
    return headerValue(changetype<usize>(block), block.byteLength, name);
  }

  /** Sets a header; all lines of that name give way to it. */
  setHeader(name: string, value: string): void {
    const wrong = headerMistake(name, value);
    if (wrong === null) this.changeHeader(name, value);
    else {
      mistake = wrong;
      isTouched = true;
    }
  }

  removeHeader(name: string): void {
    this.changeHeader(name, null);
  }

  /** The payload as text. */
  get text(): string {
    return newPayload !== null ? newPayload! : String.UTF8.decodeUnsafe(currentStart(), currentBytes());
  }

  /** A new payload; what was changed in `json` is void. */
  set text(payload: string) {
    newPayload = payload;
    isTouched = true;
  }

  /** The payload as JSON: read only when it is asked for. It does not see a new `text`. */
  get json(): Json {
    return json;
  }

  /** For the contract: parts of a new message. */
  // @ts-ignore: decorator
  @inline
  open(): void {
    if (isTouched) forget();
    setText(this.payloadStart, this.payloadStart + this.payloadBytes);
  }

  /** For the contract: writes what was changed. Answers what is wrong with it, or null. */
  writeChanges(): string | null {
    if (isTouched) {
      if (mistake !== null) return mistake;
      if (newSubject !== null) textRecord(RecordKind.Subject, newSubject!);
      if (newReply !== null) textRecord(RecordKind.Reply, newReply!);
      if (newHeaders !== null) textRecord(RecordKind.Headers, newHeaders!);
      if (newPayload !== null) {
        textRecord(RecordKind.Payload, newPayload!);
        return null;
      }
    }
    this.writeJson();
    return null;
  }

  /** For the contract: whether anything was set besides the JSON. */
  // @ts-ignore: decorator
  @inline
  get isTouched(): bool {
    return isTouched;
  }

  /** For the contract: writes the JSON if it was changed. */
  writeJson(): void {
    if (!isChanged()) return;
    const bytes = currentBytes();
    const at = record(RecordKind.Payload, bytes);
    if (at != 0) copyBytes(at, currentStart(), bytes);
  }

  private changeHeader(name: string, value: string | null): void {
    isTouched = true;
    if (newHeaders === null) newHeaders = headersWith(this.headersStart, this.headersBytes, name, value);
    else {
      const block = String.UTF8.encode(newHeaders!);
      newHeaders = headersWith(changetype<usize>(block), block.byteLength, name, value);
    }
  }
}

export const message: Message = new Message();
