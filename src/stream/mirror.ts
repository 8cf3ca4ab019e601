import { Follower } from './follower.js';
import type { Inflow, Taker } from './inflow.js';
import type { SourceConfig } from './stream-config.js';

/** Keeps a stream the same as another one: the same sequences and times. */
export class Mirror implements Inflow {
  private readonly follower: Follower;

  constructor(taker: Taker, source: SourceConfig) {
    const { lastSequence } = taker.log.state;
    this.follower = new Follower(taker, source, lastSequence === 0 ? 0 : lastSequence + 1, (stored, subject) =>
      taker.takeMirrored(stored, subject),
    );
  }

  info(): object {
    return { mirror: this.follower.info() };
  }

  lookAgain(): void {
    this.follower.lookAgain();
  }

  onCommit(): void {
    this.follower.onCommit();
  }

  close(): void {
    this.follower.close();
  }
}
