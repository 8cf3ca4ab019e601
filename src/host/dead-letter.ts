import { textOf, utf8 } from '../base/bytes.js';
import { composeMessage, type Message } from '../message/message.js';
import type { Attachment } from './attachment.js';
import { headerBlock, headerLines, singleLine } from './headers.js';

const ERROR_CHARACTERS_MAX = 1000;

/**
 * A message whose plugin failed, as it was, with headers that say what happened. They come first: a reader that takes the first header of a
 * name cannot be told a tale by the publisher.
 */
export function deadLetter(attachment: Attachment, message: Message): Message {
  const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
  const { declaration, version, fault } = attachment;
  const pairs: [string, string][] = [
    ['Weir-Attachment', attachment.name],
    ['Weir-Plugin', declaration.plugin],
    ['Weir-Version', String(version.number)],
    ['Weir-Cause', fault.cause],
    ['Weir-Error', singleLine(fault.text, ERROR_CHARACTERS_MAX)],
    ['Weir-Fuel', String(attachment.fuelUsed)],
    ['Weir-Subject', textOf(bytes, subjectStart, subjectEnd)],
  ];
  if (replyEnd > replyStart) pairs.push(['Weir-Reply', textOf(bytes, replyStart, replyEnd)]);
  return composeMessage(
    {
      subject: utf8(`$WEIR.DEAD.${attachment.name}`),
      reply: null,
      headers: headerBlock(pairs, headerLines(bytes, headersStart, payloadStart)),
      payload: bytes.subarray(payloadStart, payloadEnd),
    },
    message.hops,
  );
}
