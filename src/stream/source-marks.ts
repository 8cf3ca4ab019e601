import { type MessageLog, StoredMessage } from '../storage/message-log.js';
import { HEADER, readHeaders } from './headers.js';
import { identityOf } from './source-subjects.js';
import type { SourceConfig } from './stream-config.js';

/** How far one source was taken. */
export interface SourceMark {
  /** The last sequence that was taken; 0: none. */
  sequence: number;
  /** Which stream of that name it was taken from; '' when that was never told. */
  identity: string;
}

/** How far all of them were, as it is written down. */
export interface StoredMarks {
  /** Messages behind this one, of the stream that took them, are not counted in. */
  lastSequence: number;
  marks: [string, SourceMark][];
}

/**
 * How far each source of a stream was taken. The newest message of each tells, in its header; but that one may be purged, or give way to
 * others, and what it told must not be forgotten: else everything would be taken once more.
 */
export class SourceMarks {
  private readonly log: MessageLog;
  private readonly touch: () => void;
  private marks = new Map<string, SourceMark>();
  /** Messages up to here are counted in. */
  private counted = 0;

  /** `touch` is called when they changed. */
  constructor(log: MessageLog, stored: StoredMarks | null, touch: () => void) {
    this.log = log;
    this.touch = touch;
    // A log that ends before them is not the one they are of.
    if (stored === null || stored.lastSequence > log.state.lastSequence) return;
    this.marks = new Map(stored.marks);
    this.counted = stored.lastSequence;
  }

  /** Goes on with these sources, and looks in the log for what is not known of them. */
  configure(sources: readonly SourceConfig[]): void {
    const { marks } = this;
    const keys = sources.map(keyOf);
    const isAllNoted = this.counted === Number.MAX_SAFE_INTEGER;
    const wanted = keys.filter((key) => !isAllNoted || !marks.has(key));
    const found = this.look(new Set(wanted), wanted.every((key) => marks.has(key)) ? this.counted : 0);
    this.marks = new Map(keys.map((key) => [key, found.get(key) ?? marks.get(key) ?? { sequence: 0, identity: '' }]));
    this.counted = Number.MAX_SAFE_INTEGER;
  }

  of(source: SourceConfig): Readonly<SourceMark> {
    return this.marks.get(keyOf(source))!;
  }

  note(source: SourceConfig, sequence: number, identity: string): void {
    const mark = this.of(source) as SourceMark;
    mark.sequence = sequence;
    mark.identity = identity;
    this.touch();
  }

  /** As it may be written down: everything that it counts in is durable. */
  async state(): Promise<StoredMarks> {
    const { lastSequence } = this.log.state;
    const marks = [...this.marks].map(([key, mark]): [string, SourceMark] => [key, { ...mark }]);
    const trouble = await this.log.flush();
    if (trouble !== null) throw trouble;
    return { lastSequence, marks };
  }

  /** Looks back from the log's end to `end`, which is not looked at, for the last message of each source. */
  private look(wanted: Set<string>, end: number): Map<string, SourceMark> {
    const { log } = this;
    const marks = new Map<string, SourceMark>();
    const found = new StoredMessage();
    const read = () => {
      const said = readHeaders(found.message)?.get(HEADER.streamSource);
      if (said === undefined) return;
      // Of the subject that it had there nothing is wanted.
      const [name, sequence, filters, destinations, , identity = ''] = said.split(' ');
      const key = `${name} ${filters} ${destinations}`;
      if (wanted.delete(key)) marks.set(key, { sequence: Number(sequence), identity });
    };
    // What is not durable yet was taken, too: the configuration may have changed while messages came in.
    for (let at = log.state.lastSequence; at > Math.max(end, log.committedSequence); at--)
      if (log.read(at, found)) read();
    let at = log.committedSequence;
    for (; wanted.size > 0 && at > end && log.previous(at, null, found); at = found.sequence - 1) {
      if (found.sequence <= end) break;
      read();
    }
    return marks;
  }
}

function keyOf(source: SourceConfig): string {
  const { name, filters, destinations } = identityOf(source);
  return `${name} ${filters} ${destinations}`;
}
