import { textOf } from '../base/bytes.js';
import type { Leg } from '../broker/subscription.js';
import type { Message } from '../message/message.js';
import type { ClientContext } from './context.js';

/** Prints what a client says (`<<-`) and is told (`->>`), as nats-server's protocol trace does. */
export class ProtocolTrace {
  private readonly session: { readonly label: string };
  private readonly context: ClientContext;

  constructor(session: { readonly label: string }, context: ClientContext) {
    this.session = session;
    this.context = context;
  }

  line(text: string): void {
    this.context.logger.trace(`${this.session.label} - ${text}`);
  }

  publish(message: Message): void {
    const { bytes, subjectStart, headersStart, payloadStart, payloadEnd, tailEnd } = message;
    const verb = payloadStart > headersStart ? 'HPUB' : 'PUB';
    this.line(`<<- [${verb} ${textOf(bytes, subjectStart, headersStart).trim()}]`);
    const printed = Math.min(payloadEnd, headersStart + this.context.tracedBytesMax);
    if (tailEnd > 0) this.line(`<<- MSG_PAYLOAD: [${JSON.stringify(textOf(bytes, headersStart, printed))}]`);
  }

  delivery(leg: Leg, message: Message): void {
    const verb = message.payloadStart > message.headersStart ? 'HMSG' : 'MSG';
    const bytes = message.payloadEnd - message.headersStart;
    this.line(
      `->> [${verb} ${textOf(message.bytes, message.subjectStart, message.subjectEnd)} ${textOf(leg.subscription.sid)} ${bytes}]`,
    );
  }
}

/** Null unless the log has traces. */
export function traceIfWanted(session: { readonly label: string }, context: ClientContext): ProtocolTrace | null {
  return context.logger.traceEnabled ? new ProtocolTrace(session, context) : null;
}
