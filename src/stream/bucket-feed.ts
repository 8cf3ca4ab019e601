import { textOf, utf8 } from '../base/bytes.js';
import type { TableFeed, TakeEntry } from '../host/table-source.js';
import { LogFilter } from '../storage/log-filter.js';
import { StoredMessage } from '../storage/message-log.js';
import { HEADER } from './headers.js';
import type { Stream } from './stream.js';
import type { Streams } from './streams.js';

/** Messages that are handed over before others get their turn. */
const BURST_MESSAGES = 256;
/** How often it is looked whether the bucket came or went, and whether it lost keys without saying so: by age, or a purge. */
const LOOK_MS = 1_000;

const REMOVED = new RegExp(`^(?:KV-Operation: *(?:DEL|PURGE)|${HEADER.markerReason}:)`, 'm');

/** Follows a key-value bucket: every key with its value, then what becomes of it. */
export class BucketFeed implements TableFeed {
  readonly ready: Promise<void>;
  private readonly streams: Streams;
  private readonly name: string;
  /** What comes before the key in a subject. */
  private readonly prefix: string;
  private readonly filter: LogFilter;
  private readonly take: TakeEntry;
  private readonly stored = new StoredMessage();
  private readonly wake = (): void => this.run();
  /** The sequences of the keys that were handed over. */
  private known = new Map<string, number>();
  /** Keys of a bucket of this name that was deleted: what the present one does not have has to go. */
  private former: ReadonlyMap<string, number> = new Map();
  private stream: Stream | null = null;
  private position = 1;
  private isReady = false;
  private resting = false;
  private searching = false;
  private closed = false;
  /** What the log was like when it was last searched for lost keys. */
  private searched = '';
  private onReady: () => void = () => {};

  constructor(streams: Streams, { bucket, keys, take }: { bucket: string; keys: string; take: TakeEntry }) {
    this.streams = streams;
    this.name = bucketStream(bucket);
    this.prefix = `$KV.${bucket}.`;
    this.filter = LogFilter.of([this.prefix + keys]);
    this.take = take;
    this.ready = new Promise((resolve) => {
      this.onReady = resolve;
    });
    this.look();
  }

  get following(): boolean {
    return this.stream !== null;
  }

  close(): void {
    this.closed = true;
    this.stream?.followers.delete(this.wake);
    this.onReady();
  }

  private look(): void {
    if (this.closed) return;
    if (this.stream === null || this.stream.closed) this.open();
    if (!this.searching && this.isChanged()) this.searchLost([...this.known.keys()]);
    this.streams.clock.after(LOOK_MS, () => this.look());
  }

  /** Begins with the bucket of this name, if there is one. One that is deleted leaves what it said until there is another. */
  private open(): void {
    this.stream?.followers.delete(this.wake);
    this.stream = this.streams.find(this.name) ?? null;
    if (this.stream === null) {
      this.onReady();
      return;
    }
    this.former = this.known;
    this.known = new Map();
    this.position = 1;
    this.isReady = false;
    this.stream.followers.add(this.wake);
    this.run();
  }

  private run(): void {
    const { stream, stored } = this;
    if (stream === null || stream.closed || this.closed || this.resting) return;
    for (let handed = 0; handed < BURST_MESSAGES; handed++) {
      if (!stream.log.next(this.position, this.filter, stored)) {
        this.position = Math.max(this.position, stream.log.committedSequence + 1);
        if (!this.isReady && !this.dropFormer()) break;
        return;
      }
      if (!this.hand(stored)) break;
      this.position = stored.sequence + 1;
    }
    this.resting = true;
    setImmediate(() => {
      this.resting = false;
      this.run();
    });
  }

  /** Everything was handed over that the bucket has. False: not now. */
  private dropFormer(): boolean {
    for (const key of this.former.keys()) if (!this.known.has(key) && !this.take(key, null)) return false;
    this.former = new Map();
    this.isReady = true;
    this.onReady();
    return true;
  }

  private hand({ message, sequence }: StoredMessage): boolean {
    const { bytes, subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = message;
    const key = textOf(bytes, subjectStart + this.prefix.length, subjectEnd);
    const isRemoved = headersStart < payloadStart && REMOVED.test(textOf(bytes, headersStart, payloadStart));
    if (!this.take(key, isRemoved ? null : bytes.slice(payloadStart, payloadEnd))) return false;
    if (isRemoved) this.known.delete(key);
    else this.known.set(key, sequence);
    return true;
  }

  /** Whether the log is another than when it was last searched. */
  private isChanged(): boolean {
    if (this.stream === null || this.stream.closed || !this.isReady) return false;
    const { messages, firstSequence, lastSequence } = this.stream.log.state;
    const present = `${messages} ${firstSequence} ${lastSequence}`;
    if (present === this.searched) return false;
    this.searched = present;
    return true;
  }

  /** Looks for keys whose last message is not the one that was handed over. */
  private searchLost(keys: readonly string[], from = 0): void {
    const { stream } = this;
    this.searching = false;
    if (this.closed || stream === null || stream.closed) return;
    const end = Math.min(keys.length, from + BURST_MESSAGES);
    let at = from;
    while (at < end && this.check(stream, keys[at])) at++;
    if (at === keys.length) return;
    this.searching = true;
    setImmediate(() => this.searchLost(keys, at));
  }

  /** False: not now. */
  private check({ log }: Stream, key: string): boolean {
    const known = this.known.get(key);
    const last = log.subject(utf8(this.prefix + key))?.lastSequence;
    // What is new comes by itself.
    if (known === undefined || last === known || (last !== undefined && last > known)) return true;
    if (last !== undefined && log.read(last, this.stored)) return this.hand(this.stored);
    if (!this.take(key, null)) return false;
    this.known.delete(key);
    return true;
  }
}

/** The stream that a bucket is. */
export function bucketStream(bucket: string): string {
  return `KV_${bucket}`;
}
