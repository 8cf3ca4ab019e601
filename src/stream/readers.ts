import { Follower } from './follower.js';
import type { Reader, Start, Taker } from './inflow.js';
import { RemoteFollower } from './remote-follower.js';
import type { SourceConfig } from './stream-config.js';

/** What reads a source: its log, if the stream is one of the same account and nothing else is said, or a consumer there. */
export function readerOf(taker: Taker, source: SourceConfig, start: Start): Reader {
  const isNear = source.external === undefined && source.consumer === undefined;
  return isNear ? new Follower(taker, source, start) : new RemoteFollower(taker, source, start);
}
