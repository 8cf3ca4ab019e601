import { utf8 } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import type { Outbound } from '../net/outbound.js';
import { writeMessage } from './delivery.js';

const STATUS = utf8('NATS/1.0 503\r\nNats-Subject: ');
const HEADERS_END = utf8('\r\n\r\n');

/** What the sender of a request is told that nobody took. */
function noResponders({ bytes, subjectStart, subjectEnd, replyStart, replyEnd }: Message): Message {
  const headers = Buffer.concat([STATUS, bytes.subarray(subjectStart, subjectEnd), HEADERS_END]);
  return composeMessage({ subject: bytes.slice(replyStart, replyEnd), reply: null, headers, payload: NO_BYTES });
}

/** A client that sends requests: a session. */
export interface Requestor {
  readonly options: { readonly noResponders: boolean };
  readonly headers: boolean;
  readonly account: Account;
  readonly outbound: Outbound;
}

/** Nobody took a request: its sender is told, if it asked for that and listens on the reply subject. */
export function answerNoResponders(client: Requestor, request: Message): void {
  if (!client.options.noResponders || !client.headers) return;
  const answer = noResponders(request);
  const own = client.account.routeOf(answer).legs.find((leg) => leg.subscription.subscriber === (client as unknown));
  // Not a delivery: it does not count for an automatic UNSUB.
  if (own !== undefined) writeMessage(client.outbound, own, answer, true);
}
