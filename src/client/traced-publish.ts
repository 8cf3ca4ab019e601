import type { DeliveryFilter } from '../auth/delivery-filter.js';
import { utf8 } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import { MessageTrace } from '../broker/message-trace.js';
import { withSubject } from '../broker/stream-import.js';
import type { Leg, Subscriber, TracedDelivery } from '../broker/subscription.js';
import { subjectOf, tracedFrom } from '../broker/traced-publish.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { readTraceHeaders, type TraceHeaders } from '../message/trace-headers.js';
import type { Outbound } from '../net/outbound.js';
import { isLiteralSubject } from '../subject/subject.js';
import { publishViolation, replyViolation } from '../wire/nats/errors.js';
import { type LanedSession, waitForRoom } from './behind-lane.js';
import type { ConnectOptions } from './connect-options.js';
import type { ClientContext } from './context.js';
import { answerNoResponders, type Requestor } from './no-responders.js';
import { PauseReason } from './pause-reason.js';
import { rest } from './rest.js';
import { isReservedReply } from './violations.js';

/** A client that publishes and gets messages: a session. */
interface TracedSession extends LanedSession, Requestor, Subscriber {
  readonly id: number;
  readonly label: string;
  readonly account: Account;
  readonly context: ClientContext;
  readonly options: Readonly<ConnectOptions>;
  mayGoOn(message: Message): boolean;
  readonly outbound: Outbound;
  readonly deliveryFilter: DeliveryFilter | null;
  onPublishDenied(message: Message): void;
}

/** What is to be done with a message: it is traced, it goes on without a trace, or it goes nowhere. */
type Decision = MessageTrace | 'pass' | 'skip';

/** Publishes a message that asks for a trace; that is sent when the message is where it was to go. False when it is not to be traced after all: nothing was done then. */
export function publishTraced(session: TracedSession, message: Message): boolean {
  const headers = readTraceHeaders(message);
  const decision = headers === null ? 'pass' : decide(session, message, headers);
  if (typeof decision === 'string') return decision === 'skip';
  publish(session, message, decision);
  decision.end();
  waitForRoom(session);
  session.feedsPlugins = true;
  if (session.account.mustRest && !session.reading.has(PauseReason.rest)) rest(session);
  return true;
}

function decide(session: TracedSession, message: Message, headers: TraceHeaders): Decision {
  const { account, options, context } = session;
  const otherwise = headers.only ? 'skip' : 'pass';
  if (headers.originAccount !== '') {
    const value = JSON.stringify(headers.originAccount);
    context.logger.error(
      `${session.label} - Message tracing disabled because of header "Nats-Trace-Origin-Account" with value=${value}`,
    );
    return otherwise;
  }
  const dest = headers.dest || sampledDest(session);
  if (dest === '') return 'pass';
  if (!isLiteralSubject(dest)) {
    context.logger.error(
      `${session.label} - Destination ${JSON.stringify(dest)} is not valid, won't be able to trace events`,
    );
    return otherwise;
  }
  const address = composeMessage({ subject: utf8(dest), reply: null, headers: null, payload: NO_BYTES });
  if (!account.permits(account.routeOf(address), address, session)) {
    session.onPublishDenied(address);
    return 'skip';
  }
  const from = { id: session.id, name: options.name, account: account.name };
  const size = message.payloadEnd - message.headersStart;
  const onWhole = (trace: MessageTrace) => context.traced(account, trace);
  return new MessageTrace({ headers, dest, from, subject: subjectOf(message), size, clock: context.clock, onWhole });
}

/** Where the account wants traces that others ask for with a `traceparent`; empty when not of this message. */
function sampledDest({ account, context }: TracedSession): string {
  const trace = context.accounts.settingsOf(account.name)?.trace ?? null;
  return trace !== null && context.random() * 100 < trace.sampling ? trace.dest : '';
}

/** As the session publishes what is not traced, with a word about each step. */
function publish(session: TracedSession, received: Message, trace: MessageTrace): void {
  const { account } = session;
  const message = mapped(session, received, trace);
  if (message === null) {
    session.mayGoOn(received);
    return;
  }
  if (!account.permits(account.routeOf(message), message, session)) {
    trace.refused(publishViolation(message.bytes.subarray(message.subjectStart, message.subjectEnd)));
    session.onPublishDenied(message);
    return;
  }
  const { bytes, replyStart, replyEnd } = message;
  if (replyEnd > replyStart && isReservedReply(bytes, replyStart, replyEnd))
    trace.refused(replyViolation(bytes.subarray(replyStart, replyEnd)));
  if (!session.mayGoOn(message)) return;
  const receivers = account.publishTraced(message, tracedFrom(trace, session));
  if (receivers === 0 && replyEnd > replyStart) answerNoResponders(session, message);
}

/** Null when the account's mapping loses the message. */
function mapped({ account }: TracedSession, message: Message, trace: MessageTrace): Message | null {
  const { mapping } = account.routeOf(message);
  if (mapping === null) return message;
  const before = subjectOf(message);
  const subject = mapping.pick(before);
  if (subject !== null && subject !== before) trace.mapped(subject);
  return subject === null ? null : withSubject(message, subject);
}

/** A traced message that came to a session. */
interface TracedMessage {
  leg: Leg;
  message: Message;
  delivery: TracedDelivery;
}

/** Says what becomes of it here, and delivers it when that is wanted. */
export function deliverTraced(session: TracedSession, { leg, message, delivery }: TracedMessage): boolean {
  const { trace, publisher, imported, hidden } = delivery;
  const { id, options, account } = session;
  if (imported) trace.streamExport(account.name, subjectOf(message));
  const error = delivery.withheld ?? whyNot(session, { leg, message, delivery });
  if (!hidden) trace.egress({ id, name: options.name, account: account.name }, leg.subscription, error);
  if (error !== null) return delivery.withheld !== null;
  return trace.only || session.deliver(leg, message, publisher);
}

/** Why a session does not take a message, in nats-server's words. */
function whyNot(session: TracedSession, { leg, message, delivery }: TracedMessage): string | null {
  if (delivery.publisher === session && !session.options.echo) return 'Not delivered because of no echo';
  if (session.deliveryFilter?.denies(message, leg.subscription.queue))
    return 'Not delivered because subscription denies this subject';
  if (leg.subscription.closed) return 'Not delivered because subscription is closed';
  return session.closedReason === null ? null : 'Not delivered because client is closed';
}
