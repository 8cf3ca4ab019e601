import { textOf } from '../base/bytes.js';
import type { Hand, Inflow, Reader, Taker } from './inflow.js';
import { readerOf } from './readers.js';
import type { SourceMarks } from './source-marks.js';
import { identityOf } from './source-subjects.js';
import type { SourceConfig } from './stream-config.js';

/** Takes the messages of other streams in, each with a header that says where it came from. */
export class Sources implements Inflow {
  private readonly readers: Reader[];

  constructor(taker: Taker, sources: readonly SourceConfig[], marks: SourceMarks) {
    marks.configure(sources);
    this.readers = sources.map((source) => {
      const { name, filters, destinations } = identityOf(source);
      const mark = marks.of(source);
      const hand: Hand = (taken, subject, identity) => {
        const { bytes, subjectStart, subjectEnd } = taken.message;
        const own = textOf(bytes, subjectStart, subjectEnd);
        const from = `${name} ${taken.sequence} ${filters} ${destinations} ${own}${identity === '' ? '' : ` ${identity}`}`;
        if (!taker.takeSourced(taken, subject, from)) return false;
        marks.note(source, taken.sequence, identity);
        return true;
      };
      const position = mark.sequence === 0 ? 0 : mark.sequence + 1;
      return readerOf(taker, source, { position, identity: mark.identity, hand, kind: 'source' });
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
