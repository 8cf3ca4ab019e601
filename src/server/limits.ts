import type { ClientLimits } from '../client/limits.js';
import type { Options } from '../config/options.js';

/** What the options say about clients. */
export function limitsOf(options: Options): ClientLimits {
  return {
    controlLineBytesMax: options.controlLineBytesMax,
    payloadBytesMax: options.payloadBytesMax,
    pendingBytesMax: options.pendingBytesMax,
    connectionsMax: options.connectionsMax < 0 ? Number.MAX_SAFE_INTEGER : options.connectionsMax,
    subscriptionsMax: options.subscriptionsMax,
    subscriptionTokensMax: options.subscriptionTokensMax,
    pingIntervalMs: options.pingIntervalMs,
    pingsOutMax: options.pingsOutMax,
    writeDeadlineMs: options.writeDeadlineMs,
    authTimeoutMs: options.authTimeoutMs,
    headers: options.headers,
    noProducerStall: options.noProducerStall,
    closedClientsMax: options.closedClientsMax,
  };
}
