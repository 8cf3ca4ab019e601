import type { TlsContext } from '../net/tls-context.js';

/** How clients come to TLS, where there is TLS. */
export interface ClientTls {
  context: TlsContext;
  /** Whether a client may do without. */
  optional: boolean;
  /** A handshake takes no longer. */
  timeoutMs: number;
  /** Whether it comes before INFO; after `fallbackMs` without one, INFO comes first (0: never). */
  first: boolean;
  fallbackMs: number;
  /** Says no when there were too many handshakes in this second. */
  mayBegin(): boolean;
}

/** Counts what begins in a second. `max` 0 is no limit. */
export function rateLimit(max: number, nowMs: () => number): () => boolean {
  let second = 0;
  let count = 0;
  return () => {
    if (max === 0) return true;
    const now = Math.floor(nowMs() / 1000);
    if (now !== second) [second, count] = [now, 0];
    return ++count <= max;
  };
}
