import { parseJson } from '../base/json.js';
import type { Publisher } from '../broker/subscription.js';

/** Who asks. What comes from another account says so in a header, which a client of this one could have made up. */
export function requestorOf(publisher: Publisher | null, headers: string): object | null {
  if (publisher !== null) return publisher.requestInfo?.(true) ?? null;
  const told = /^Nats-Request-Info: (.*)$/im.exec(headers)?.[1];
  try {
    const by: unknown = told === undefined ? null : parseJson(told);
    return typeof by === 'object' ? by : null;
  } catch {
    return null;
  }
}
