import type { RecordedMessage, RecordedMessages, RecordedRange } from '../host/plugin-streams.js';
import { LogFilter } from '../storage/log-filter.js';
import { type MessageLog, StoredMessage } from '../storage/message-log.js';
import type { Stream } from './stream.js';

/** Reads messages of a stream for whoever tries something on them. */
export class RecordedReader implements RecordedMessages {
  private readonly stream: Stream;
  private readonly log: MessageLog;
  private readonly filter: LogFilter | null;
  private readonly stored = new StoredMessage();
  private position: number;
  private readonly end: number;

  private constructor(stream: Stream, filter: LogFilter | null, [start, end]: [start: number, end: number]) {
    this.stream = stream;
    this.log = stream.log;
    this.filter = filter;
    this.position = start;
    this.end = end;
  }

  static async open(stream: Stream, { last, sinceMs, filter = '>' }: RecordedRange): Promise<RecordedReader> {
    const only = filter === '>' ? null : LogFilter.of([filter]);
    const { log } = stream;
    const end = log.committedSequence;
    let start = log.state.firstSequence;
    if (sinceMs !== undefined) start = Math.max(start, log.sequenceAtTime({ timeMs: sinceMs, timeNs: 0 }));
    if (last !== undefined) start = await startOfLast(log, only, { start, end, last });
    return new RecordedReader(stream, only, [start, end]);
  }

  next(): RecordedMessage | null {
    const { log, filter, stored } = this;
    if (this.position > this.end || !log.next(this.position, filter, stored) || stored.sequence > this.end) return null;
    this.position = stored.sequence + 1;
    return stored;
  }

  remove(sequence: number): boolean {
    const { deny_delete, sealed } = this.stream.config;
    return !deny_delete && !sealed && this.log.remove(sequence);
  }

  async warm(): Promise<void> {
    if (this.position <= this.end) await this.log.warm(this.position);
  }
}

/** The sequence from which on there are so many messages, or all of them. Counting may take long: one count in each turn of the event loop. */
async function startOfLast(
  log: MessageLog,
  filter: LogFilter | null,
  { start, end, last }: { start: number; end: number; last: number },
): Promise<number> {
  if (log.count(filter, start) <= last) return start;
  let [few, many] = [end + 1, start];
  while (few - many > 1) {
    const middle = Math.floor((few + many) / 2);
    if (log.count(filter, middle) <= last) few = middle;
    else many = middle;
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
  return few;
}
