import { parseJson } from '../base/json.js';
import type { Publisher } from '../broker/subscription.js';

const REQUEST_INFO = '\r\nNats-Request-Info: ';

/** Who asks. What comes from another account says so in a header, which a client of this one could have made up. */
export function requestorOf(publisher: Publisher | null, headers: string): object | null {
  if (publisher !== null) return publisher.requestInfo?.(true) ?? null;
  // The last one is the import's. What looks like a line of its own in other eyes, behind a lone LF or U+2028, is a client's.
  const start = headers.lastIndexOf(REQUEST_INFO);
  if (start < 0) return null;
  const from = start + REQUEST_INFO.length;
  try {
    const by: unknown = parseJson(headers.slice(from, headers.indexOf('\r\n', from)));
    return typeof by === 'object' ? by : null;
  } catch {
    return null;
  }
}
