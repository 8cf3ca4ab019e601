import { textOf } from '../base/bytes.js';
import { StoredMessage } from '../storage/message-log.js';
import { HEADER, readHeaders } from './headers.js';
import type { Hand, Inflow, Reader, Taker } from './inflow.js';
import { readerOf } from './readers.js';
import { identityOf } from './source-subjects.js';
import type { SourceConfig } from './stream-config.js';

/** Takes the messages of other streams in, each with a header that says where it came from. */
export class Sources implements Inflow {
  private readonly readers: Reader[];

  constructor(taker: Taker, sources: readonly SourceConfig[]) {
    const positions = positionsOf(taker, sources);
    this.readers = sources.map((source) => {
      const { name, filters, destinations } = identityOf(source);
      const position = positions.get(keyOf(source)) ?? 0;
      const hand: Hand = (taken, subject) => {
        const { bytes, subjectStart, subjectEnd } = taken.message;
        const own = textOf(bytes, subjectStart, subjectEnd);
        const from = `${name} ${taken.sequence} ${filters} ${destinations} ${own}`;
        return taker.takeSourced(taken, subject, from);
      };
      return readerOf(taker, source, { position, hand, kind: 'source' });
    });
  }

  info(): object {
    return { sources: this.readers.map((reader) => reader.info()) };
  }

  lookAgain(): void {
    for (const reader of this.readers) reader.lookAgain();
  }

  onCommit(): void {
    for (const reader of this.readers) reader.onCommit();
  }

  close(): void {
    for (const reader of this.readers) reader.close();
  }
}

function keyOf(source: SourceConfig): string {
  const { name, filters, destinations } = identityOf(source);
  return `${name} ${filters} ${destinations}`;
}

/** Where each source goes on: behind the last message that came from it. Looks back from the stream's end. */
function positionsOf({ log }: Taker, sources: readonly SourceConfig[]): Map<string, number> {
  const wanted = new Set(sources.map(keyOf));
  const positions = new Map<string, number>();
  const found = new StoredMessage();
  const look = () => {
    const said = readHeaders(found.message)?.get(HEADER.streamSource);
    if (said === undefined) return;
    const [name, sequence, filters, destinations] = said.split(' ');
    const key = `${name} ${filters} ${destinations}`;
    if (wanted.delete(key)) positions.set(key, Number(sequence) + 1);
  };
  // What is not durable yet was taken, too: the configuration may have changed while messages came in.
  for (let at = log.state.lastSequence; at > log.committedSequence; at--) if (log.read(at, found)) look();
  for (let at = log.committedSequence; wanted.size > 0 && log.previous(at, null, found); at = found.sequence - 1)
    look();
  return positions;
}
