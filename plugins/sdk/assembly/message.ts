import { currentBytes, currentStart, isChanged, setText } from './document';
import { Json } from './json';
import { RecordKind, record, textRecord } from './outbox';

/** One JSON text for all messages: there is only one message at a time. */
export const json: Json = new Json();

/**
 * The message at hand. It and its bytes are the host's: what is to be kept is copied. Setters change what goes on when the verdict is
 * `Verdict.Replace`.
 */
@final
export class Message {
  /** Addresses and lengths of the parts, for whoever reads bytes. */
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
  private newSubject: string | null = null;
  private newReply: string | null = null;
  private newHeaders: string | null = null;
  private newPayload: string | null = null;

  get subject(): string {
    return String.UTF8.decodeUnsafe(this.subjectStart, this.subjectBytes);
  }

  set subject(subject: string) {
    this.newSubject = subject;
  }

  /** The token of the subject with this index, counted from 0; empty when there are fewer. */
  subjectToken(index: i32): string {
    const end = this.subjectStart + this.subjectBytes;
    let start = this.subjectStart;
    for (let at = start; at <= end; at++) {
      if (at < end && load<u8>(at) != 0x2e) continue;
      if (index-- == 0) return String.UTF8.decodeUnsafe(start, at - start);
      start = at + 1;
    }
    return '';
  }

  /** The subject that an answer goes to; empty when none is expected. */
  get reply(): string {
    return String.UTF8.decodeUnsafe(this.replyStart, this.replyBytes);
  }

  set reply(reply: string) {
    this.newReply = reply;
  }

  /** The first value of a header; null when it is not there. Names are compared letter by letter. */
  header(name: string): string | null {
    const lines = this.headerLines();
    for (let i = 0; i < lines.length; i++) {
      const colon = lines[i].indexOf(':');
      if (colon > 0 && lines[i].substring(0, colon) == name) return lines[i].substring(colon + 1).trim();
    }
    return null;
  }

  /** Sets a header; all lines of that name give way to it. */
  setHeader(name: string, value: string): void {
    const kept = this.otherHeaders(name);
    kept.push(`${name}: ${value}`);
    this.newHeaders = `NATS/1.0\r\n${kept.join('\r\n')}\r\n\r\n`;
  }

  removeHeader(name: string): void {
    const kept = this.otherHeaders(name);
    this.newHeaders = kept.length == 0 ? '' : `NATS/1.0\r\n${kept.join('\r\n')}\r\n\r\n`;
  }

  /** The payload as text. */
  get text(): string {
    return String.UTF8.decodeUnsafe(this.payloadStart, this.payloadBytes);
  }

  /** A new payload; what was changed in `json` is void. */
  set text(payload: string) {
    this.newPayload = payload;
  }

  /** The payload as JSON: read only when it is asked for. */
  get json(): Json {
    return json;
  }

  /** For the contract: parts of a new message. */
  open(): void {
    this.newSubject = null;
    this.newReply = null;
    this.newHeaders = null;
    this.newPayload = null;
    setText(this.payloadStart, this.payloadStart + this.payloadBytes);
  }

  /** For the contract: writes what was changed. */
  writeChanges(): void {
    if (this.newSubject !== null) textRecord(RecordKind.Subject, this.newSubject!);
    if (this.newReply !== null) textRecord(RecordKind.Reply, this.newReply!);
    if (this.newHeaders !== null) textRecord(RecordKind.Headers, this.newHeaders!);
    if (this.newPayload !== null) textRecord(RecordKind.Payload, this.newPayload!);
    else if (isChanged()) {
      const bytes = currentBytes();
      memory.copy(record(RecordKind.Payload, bytes), currentStart(), bytes);
    }
  }

  private headerLines(): string[] {
    const block = this.newHeaders !== null ? this.newHeaders! : String.UTF8.decodeUnsafe(this.headersStart, this.headersBytes);
    const lines = block.split('\r\n');
    lines.shift();
    return lines;
  }

  private otherHeaders(name: string): string[] {
    const kept: string[] = [];
    const lines = this.headerLines();
    for (let i = 0; i < lines.length; i++) {
      if (lines[i].length > 0 && !lines[i].startsWith(name + ':')) kept.push(lines[i]);
    }
    return kept;
  }
}

export const message: Message = new Message();
