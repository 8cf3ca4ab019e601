import type { Inflow, Reader, Taker } from './inflow.js';
import { readerOf } from './readers.js';
import type { SourceConfig } from './stream-config.js';

/** Keeps a stream the same as another one: the same sequences and times. */
export class Mirror implements Inflow {
  private readonly reader: Reader;

  constructor(taker: Taker, source: SourceConfig) {
    const { lastSequence } = taker.log.state;
    this.reader = readerOf(taker, source, {
      identity: '',
      position: lastSequence === 0 ? 0 : lastSequence + 1,
      hand: (taken, subject) => taker.takeMirrored(taken, subject),
      kind: 'mirror',
    });
  }

  info(): object {
    return { mirror: this.reader.info() };
  }

  lookAgain(): void {
    this.reader.lookAgain();
  }

  onCommit(): void {
    this.reader.onCommit();
  }

  close(): void {
    this.reader.close();
  }
}
