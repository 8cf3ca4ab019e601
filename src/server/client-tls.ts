import type { Clock } from '../base/clock.js';
import { type ClientTls, rateLimit } from '../client/tls-entrance.js';
import type { Options } from '../config/options.js';
import { TlsContext } from '../net/tls-context.js';

/** How clients come to TLS, by the options; null where there is no TLS. */
export function clientTls({ tls, allowNonTls }: Options, clock: Clock): ClientTls | null {
  if (tls === null) return null;
  return {
    context: new TlsContext(tls),
    optional: allowNonTls,
    timeoutMs: tls.timeoutMs,
    first: tls.handshakeFirst,
    fallbackMs: tls.fallbackMs,
    mayBegin: rateLimit(tls.connectionRateMax, () => clock.nowMs()),
  };
}
