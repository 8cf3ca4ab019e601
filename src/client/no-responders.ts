import { utf8 } from '../base/bytes.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';

const STATUS = utf8('NATS/1.0 503\r\nNats-Subject: ');
const HEADERS_END = utf8('\r\n\r\n');

/** What the sender of a request is told that nobody took. */
export function noResponders({ bytes, subjectStart, subjectEnd, replyStart, replyEnd }: Message): Message {
  const headers = Buffer.concat([STATUS, bytes.subarray(subjectStart, subjectEnd), HEADERS_END]);
  return composeMessage({ subject: bytes.slice(replyStart, replyEnd), reply: null, headers, payload: NO_BYTES });
}
