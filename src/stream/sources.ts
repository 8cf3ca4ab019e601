import { textOf } from '../base/bytes.js';
import { StoredMessage } from '../storage/message-log.js';
import { Follower } from './follower.js';
import { HEADER, readHeaders } from './headers.js';
import type { Inflow, Taker } from './inflow.js';
import type { SourceConfig } from './stream-config.js';

/** Takes the messages of other streams in, each with a header that says where it came from. */
export class Sources implements Inflow {
  private readonly followers: Follower[];

  constructor(taker: Taker, sources: readonly SourceConfig[]) {
    const positions = positionsOf(taker, sources);
    this.followers = sources.map((source) => {
      const { name, filters, destinations } = identityOf(source);
      const position = positions.get(keyOf(source)) ?? 0;
      return new Follower(taker, source, position, (stored, subject) => {
        const { bytes, subjectStart, subjectEnd } = stored.message;
        const own = textOf(bytes, subjectStart, subjectEnd);
        const from = `${name} ${stored.sequence} ${filters} ${destinations} ${own}`;
        return taker.takeSourced(stored, subject, from);
      });
    });
  }

  info(): object {
    return { sources: this.followers.map((follower) => follower.info()) };
  }

  lookAgain(): void {
    for (const follower of this.followers) follower.lookAgain();
  }

  onCommit(): void {
    for (const follower of this.followers) follower.onCommit();
  }

  close(): void {
    for (const follower of this.followers) follower.close();
  }
}

/** A source's name, filters and destinations as they stand in `Nats-Stream-Source`. */
function identityOf({ name = '', filter_subject = '', subject_transforms = [] }: SourceConfig) {
  const several = subject_transforms.length > 0;
  return {
    name,
    filters: several ? subject_transforms.map(({ src }) => src || '>').join('\f') : filter_subject || '>',
    destinations: several ? subject_transforms.map(({ dest }) => dest || '>').join('\f') : '>',
  };
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
  for (let at = log.state.lastSequence; wanted.size > 0 && log.previous(at, null, found); at = found.sequence - 1) {
    const said = readHeaders(found.message)?.get(HEADER.streamSource);
    if (said === undefined) continue;
    const [name, sequence, filters, destinations] = said.split(' ');
    const key = `${name} ${filters} ${destinations}`;
    if (wanted.delete(key)) positions.set(key, Number(sequence) + 1);
  }
  return positions;
}
