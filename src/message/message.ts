/**
 * One message in flight: offsets into `bytes`, no copies. Subject, reply, headers and payload are half-open ranges; an
 * absent part is an empty range.
 *
 * ```text
 * bytes  … s u b j e c t … r e p l y … N A T S / 1 . 0 … p a y l o a d …
 *          ^subjectStart   ^replyStart ^headersStart    ^payloadStart  ^payloadEnd
 * ```
 *
 * The bytes belong to whoever made the message and are valid until the call that handed it over returns: whoever keeps
 * them copies them. The object itself is reused for the next message, so it is never kept either.
 */
export class Message {
  bytes: Uint8Array = new Uint8Array(0);
  subjectStart = 0;
  subjectEnd = 0;
  replyStart = 0;
  replyEnd = 0;
  /** The raw `NATS/1.0…\r\n\r\n` block; it ends where the payload starts. */
  headersStart = 0;
  payloadStart = 0;
  payloadEnd = 0;
  /**
   * Where a ready-made wire form of everything after the subject begins and ends, or -1: a publish line's tail is, byte for
   * byte, the tail of the line its receivers get, so it can be copied in one piece.
   */
  tailStart = -1;
  tailEnd = -1;
  /** How many plugins' emits led to this message. */
  hops = 0;

  get headersBytes(): number {
    return this.payloadStart - this.headersStart;
  }

  get payloadBytes(): number {
    return this.payloadEnd - this.payloadStart;
  }
}
