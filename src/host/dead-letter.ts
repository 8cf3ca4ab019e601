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

/** Headers that `deadLetter` writes; they are before the message's own. */
const OWN_LINE = /^Weir-(?:Attachment|Plugin|Version|Cause|Error|Fuel|Subject|Reply): (.*)\r\n/;

/** The message that became this dead letter, as it was; null for what is none. */
export function originalOf({ bytes, headersStart, payloadStart, payloadEnd }: Message): Message | null {
  let lines = Buffer.from(headerLines(bytes, headersStart, payloadStart)).toString('latin1');
  const told = new Map<string, string>();
  // A publisher may have sent headers of these names: they come later, and again.
  for (let own = OWN_LINE.exec(lines); own !== null; own = OWN_LINE.exec(lines)) {
    const name = own[0].slice(0, own[0].indexOf(':'));
    if (told.has(name)) break;
    told.set(name, Buffer.from(own[1], 'latin1').toString('utf8'));
    lines = lines.slice(own[0].length);
  }
  const [subject, reply] = [told.get('Weir-Subject'), told.get('Weir-Reply')];
  if (subject === undefined) return null;
  return composeMessage({
    subject: utf8(subject),
    reply: reply === undefined ? null : utf8(reply),
    headers: lines === '' ? null : headerBlock([], Buffer.from(lines, 'latin1')),
    payload: bytes.subarray(payloadStart, payloadEnd),
  });
}
