import { utf8 } from '../base/bytes.js';
import { composeMessage, type Message } from '../message/message.js';
import { MESSAGE_REJECTED } from './error-table.js';

/**
 * What the publisher of a message hears on its reply subject when a plugin refused it: a status in the headers, for those who look there, and
 * the same as payload in the form of a JetStream error, since whoever publishes into a stream reads an acknowledgement's payload alone.
 */
export function composeRejection(reply: Uint8Array, code: number, text: string): Message {
  const description = text.replace(/[\r\n]+/g, ' ');
  const error = { code, err_code: MESSAGE_REJECTED, description };
  return composeMessage({
    subject: reply,
    reply: null,
    headers: utf8(`NATS/1.0 ${code} ${description}\r\n\r\n`),
    payload: utf8(JSON.stringify({ error })),
  });
}
