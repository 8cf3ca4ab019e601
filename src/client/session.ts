import type { Identity } from '../auth/identity.js';
import type { Permissions } from '../auth/permissions.js';
import { textOf, utf8 } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import { type Leg, type Publisher, type Subscriber, Subscription } from '../broker/subscription.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { Outbound, type OutboundOwner } from '../net/outbound.js';
import type { Transport, TransportReceiver } from '../net/transport.js';
import { isFilter, isLiteralSubjectBytes } from '../subject/subject.js';
import {
  deliveryPrefix,
  encodeTail,
  encodeTailWithoutHeaders,
  errorLine,
  infoLine,
  OK_LINE,
  PONG_LINE,
} from '../wire/nats/encoder.js';
import {
  ErrorText,
  publishViolation,
  replyViolation,
  subscriptionViolation,
  tooManyTokensViolation,
} from '../wire/nats/errors.js';
import { type Operations, Violation } from '../wire/nats/operations.js';
import { Parser } from '../wire/nats/parser.js';
import { ClosedReason } from './closed-reason.js';
import { type ConnectOptions, DEFAULT_CONNECT, readConnect } from './connect-options.js';
import type { ClientDoor } from './door.js';
import { KeepAlive } from './keep-alive.js';
import { ResponsePermits } from './response-permits.js';

/** Tails up to this many bytes are copied by a loop: making a view of them costs more (bench/micro/outbound.ts). */
const LOOP_BYTES_MAX = 64;

/**
 * One NATS client connection: handshake, operations, delivery. It does not route: messages go to its account and come back
 * by `deliver`.
 *
 * ```text
 * transport -> parser -> onPublish -> account.publish -> … -> deliver (of other sessions) -> outbound -> transport
 * ```
 */
export class ClientSession implements Operations, TransportReceiver, Subscriber, Publisher, OutboundOwner {
  readonly id: number;
  readonly transport: Transport;
  readonly outbound: Outbound;
  readonly startedMs: number;
  readonly keepAlive: KeepAlive;
  readonly nonce: string | null;
  options: Readonly<ConnectOptions> = DEFAULT_CONNECT;
  identity: Identity | null = null;
  permissions: Permissions | null = null;
  account: Account;
  readonly subscriptions = new Map<string, Subscription>();
  closedReason: ClosedReason | null = null;
  connected = false;
  lastActivityMs: number;
  /** Counters of this connection; `/varz` sums them. */
  inMessages = 0;
  inBytes = 0;
  outMessages = 0;
  outBytes = 0;
  stalls = 0;
  private readonly door: ClientDoor;
  private readonly parser: Parser;
  private readonly tracing: boolean;
  private connectSeen = false;
  private connectInfoSent = false;
  private verbose = true;
  private pedantic = true;
  private echo = true;
  private headers = false;
  private responses: ResponsePermits | null = null;
  private deliveryFilter: Permissions | null = null;
  private gone = false;

  constructor(id: number, transport: Transport, door: ClientDoor) {
    this.id = id;
    this.transport = transport;
    this.door = door;
    this.account = door.account;
    this.startedMs = door.clock.nowMs();
    this.lastActivityMs = this.startedMs;
    this.tracing = door.logger.traceEnabled;
    this.nonce = null;
    this.outbound = new Outbound(transport, door.flushQueue, this, door.limits.pendingBytesMax);
    this.parser = new Parser(this, {
      controlLineBytesMax: door.limits.controlLineBytesMax,
      payloadBytesMax: door.limits.payloadBytesMax,
      headers: door.limits.headers,
    });
    this.keepAlive = new KeepAlive(this, door);
  }

  /** Sends INFO and starts to read. */
  open(): void {
    this.outbound.append(infoLine(this.door.info.first(this)));
    this.outbound.flush();
    this.parser.connectFirst = this.door.authenticator.required;
    if (this.parser.connectFirst) this.keepAlive.awaitAuthentication();
    else this.keepAlive.start();
    this.transport.receiver = this;
    this.transport.resume();
  }

  /** `127.0.0.1:4711 - cid:5`: how the log names this connection. */
  get label(): string {
    return `${this.transport.remoteAddress}:${this.transport.remotePort} - cid:${this.id}`;
  }

  get remoteHost(): string {
    return this.transport.upgrade?.forwardedFor || this.transport.remoteAddress;
  }

  // ---- bytes in ----

  received(bytes: Uint8Array, start: number, end: number): void {
    this.lastActivityMs = this.door.clock.nowMs();
    this.parser.parse(bytes, start, end);
    if (this.door.congestion.any) this.door.congestion.stall(this);
  }

  closed(error: Error | null): void {
    if (error !== null) this.close(ClosedReason.readError);
    else this.close(ClosedReason.clientClosed);
  }

  // ---- operations ----

  onPublish(message: Message): void {
    this.inMessages++;
    this.inBytes += message.payloadEnd - message.headersStart;
    if (this.tracing) this.tracePublish(message);
    const route = this.account.routeOf(message);
    if ((route.reserved || this.permissions !== null) && !this.account.permits(route, message, this)) {
      this.onPublishDenied(message);
      return;
    }
    const withReply = message.replyEnd > message.replyStart;
    if ((withReply || this.verbose || this.pedantic) && !this.mayGoOn(message)) return;
    const receivers = this.account.publishOn(route, message, this);
    if (receivers === 0 && withReply) this.answerNoResponders(message);
  }

  /** The checks that a plain publish of a usual client does not need. */
  private mayGoOn(message: Message): boolean {
    const { bytes, subjectStart, subjectEnd, replyStart, replyEnd } = message;
    if (this.pedantic && !isLiteralSubjectBytes(bytes, subjectStart, subjectEnd)) {
      this.sendError(ErrorText.invalidPublishSubject);
    }
    if (replyEnd > replyStart && isReservedReply(bytes, replyStart, replyEnd)) {
      this.sendError(replyViolation(textOf(bytes, replyStart, replyEnd)));
      return false;
    }
    if (this.verbose) this.sendOk();
    return true;
  }

  private onPublishDenied(message: Message): void {
    const subject = textOf(message.bytes, message.subjectStart, message.subjectEnd);
    this.door.logger.error(`${this.label} - Publish Violation - ${this.userLabel}Subject ${JSON.stringify(subject)}`);
    this.sendError(publishViolation(subject));
  }

  mayRespond(message: Message): boolean {
    return this.responses?.use(message) ?? false;
  }

  onRejected(message: Message, code: number, text: string): void {
    const subject = textOf(message.bytes, message.subjectStart, message.subjectEnd);
    this.sendError(`${publishViolation(subject)}: rejected with ${code} ${text.replace(/[\r\n']+/g, ' ')}`);
  }

  /** Nobody took a request: its sender is told, if it asked for that and listens on the reply subject. */
  private answerNoResponders(message: Message): void {
    if (!this.options.noResponders || !this.headers) return;
    const reply = message.bytes.slice(message.replyStart, message.replyEnd);
    const subject = textOf(message.bytes, message.subjectStart, message.subjectEnd);
    const headers = utf8(`NATS/1.0 503\r\nNats-Subject: ${subject}\r\n\r\n`);
    const answer = composeMessage({ subject: reply, reply: null, headers, payload: NO_BYTES });
    const own = this.account.routeOf(answer).legs.find((leg) => leg.subscription.subscriber === this);
    if (own !== undefined) this.deliver(own, answer, null);
  }

  onSubscribe(bytes: Uint8Array, tokens: Int32Array, withQueue: boolean): void {
    const filter = textOf(bytes, tokens[0], tokens[1]);
    const queue = withQueue ? textOf(bytes, tokens[2], tokens[3]) : null;
    const sidAt = withQueue ? 4 : 2;
    const sid = textOf(bytes, tokens[sidAt], tokens[sidAt + 1]);
    if (this.tracing) this.trace(`<<- [SUB ${filter} ${queue === null ? '' : `${queue} `}${sid}]`);
    const refusal = this.whyNotSubscribe(filter, queue);
    if (refusal !== null) {
      this.sendError(refusal);
      return;
    }
    if (!this.subscriptions.has(sid)) {
      const subscription = new Subscription(this, filter, queue, utf8(sid));
      this.subscriptions.set(sid, subscription);
      this.account.subscribe(subscription);
    }
    if (this.verbose) this.sendOk();
  }

  private whyNotSubscribe(filter: string, queue: string | null): string | null {
    const { subscriptionsMax, subscriptionTokensMax } = this.door.limits;
    if (this.permissions !== null && this.permissions.subscribeAllowed(filter, queue) === 'denied') {
      const queueLabel = queue === null ? '' : `, Queue ${JSON.stringify(queue)}`;
      this.door.logger.error(
        `${this.label} - Subscription Violation - ${this.userLabel}Subject ${JSON.stringify(filter)}${queueLabel}`,
      );
      return subscriptionViolation(filter, queue);
    }
    if (subscriptionTokensMax > 0 && filter.split('.').length > subscriptionTokensMax)
      return tooManyTokensViolation(filter);
    if (subscriptionsMax > 0 && this.subscriptions.size >= subscriptionsMax) return ErrorText.maximumSubscriptions;
    if (!isFilter(filter)) return ErrorText.invalidSubject;
    return null;
  }

  onUnsubscribe(bytes: Uint8Array, sidStart: number, sidEnd: number, max: number): void {
    const sid = textOf(bytes, sidStart, sidEnd);
    if (this.tracing) this.trace(`<<- [UNSUB ${sid}${max > 0 ? ` ${max}` : ''}]`);
    const subscription = this.subscriptions.get(sid);
    if (subscription !== undefined) {
      if (max > subscription.delivered) subscription.deliveredMax = max;
      else this.dropSubscription(subscription);
    }
    if (this.verbose) this.sendOk();
  }

  private dropSubscription(subscription: Subscription): void {
    if (subscription.closed) return;
    subscription.closed = true;
    this.subscriptions.delete(textOf(subscription.sid));
    this.account.unsubscribe(subscription);
  }

  onPing(): void {
    if (this.tracing) this.trace('<<- [PING]');
    this.send(PONG_LINE);
    if (this.tracing) this.trace('->> [PONG]');
    if (this.connectInfoSent || !this.connected) return;
    this.connectInfoSent = true;
    // PONG comes first: clients abort when anything else answers their first PING.
    if (this.options.protocol >= 1) this.send(infoLine(this.door.info.connected(this)));
  }

  onPong(): void {
    if (this.tracing) this.trace('<<- [PONG]');
    this.keepAlive.onPong();
  }

  onError(bytes: Uint8Array, start: number, end: number): void {
    this.door.logger.error(`${this.label} - Client Error ${textOf(bytes, start, end).trim()}`);
    this.close(ClosedReason.parseError);
  }

  onViolation(violation: Violation, bytes: Uint8Array, start: number, end: number): void {
    const [text, reason] = violations[violation];
    const snippet = JSON.stringify(textOf(bytes, start, Math.min(end, start + 32)));
    if (violation === Violation.authorization) this.refuseAuthentication();
    else {
      this.door.logger.error(`${this.label} - ${text}, near ${snippet}`);
      this.close(reason, text);
    }
  }

  // ---- handshake ----

  onConnect(bytes: Uint8Array, start: number, end: number): void {
    const options = readConnect(textOf(bytes, start, end), this.options);
    if (this.tracing) this.trace('<<- [CONNECT]');
    if (typeof options === 'string') {
      this.door.logger.error(`${this.label} - ${options}`);
      this.close(ClosedReason.protocolViolation);
      return;
    }
    this.options = options;
    this.connectSeen = true;
    const verdict = this.door.authenticate(this);
    if (!(verdict instanceof Promise)) {
      this.onAuthenticated(verdict);
      return;
    }
    // Passwords are checked elsewhere: until then nothing of this client is read or parsed.
    this.parser.hold();
    this.transport.pause();
    verdict.then((identity) => {
      if (this.closedReason !== null) return;
      this.onAuthenticated(identity);
      this.transport.resume();
      this.parser.release();
    });
  }

  private onAuthenticated(identity: Identity | null): void {
    if (identity === null) {
      this.refuseAuthentication();
      return;
    }
    const options = this.options;
    if (options.account !== '') {
      this.door.logger.error(
        `${this.label} - a client cannot choose its account: CONNECT asked for ${JSON.stringify(options.account)}`,
      );
      this.refuseAuthentication();
      return;
    }
    this.setIdentity(identity);
    if (options.protocol !== 0 && options.protocol !== 1) {
      this.close(ClosedReason.badClientProtocolVersion, ErrorText.invalidClientProtocol);
      return;
    }
    this.headers = options.headers && this.door.limits.headers;
    this.parser.settings.headers = this.headers;
    if (options.noResponders && !this.headers) {
      this.close(ClosedReason.noRespondersRequiresHeaders, ErrorText.noRespondersNeedsHeaders);
      return;
    }
    this.parser.connectFirst = false;
    this.verbose = options.verbose;
    this.pedantic = options.pedantic;
    this.echo = options.echo;
    if (!this.connected) this.keepAlive.start();
    this.connected = true;
    if (this.verbose) this.sendOk();
  }

  /** Takes an identity on, at CONNECT or by a reload of users. */
  setIdentity(identity: Identity): void {
    this.identity = identity;
    this.permissions = identity.permissions;
    const limits = identity.permissions?.responses ?? null;
    this.responses = limits === null ? null : new ResponsePermits(limits, this.door.clock);
    this.deliveryFilter = identity.permissions?.hasDeliveryFilter ? identity.permissions : null;
  }

  refuseAuthentication(): void {
    this.door.logger.error(
      `${this.label} - authentication error${this.options.user ? ` - User ${JSON.stringify(this.options.user)}` : ''}`,
    );
    this.close(ClosedReason.authenticationViolation, ErrorText.authorizationViolation);
  }

  private get userLabel(): string {
    const name = this.identity?.userName ?? '';
    return name === '' ? '' : `User ${JSON.stringify(name)}, `;
  }

  /** Closes subscriptions that the present permissions no longer allow, telling the client. */
  dropForbiddenSubscriptions(): void {
    const permissions = this.permissions;
    if (permissions === null) return;
    for (const subscription of [...this.subscriptions.values()]) {
      const { filter, queue, sid } = subscription;
      if (permissions.subscribeAllowed(filter, queue) !== 'denied') continue;
      this.dropSubscription(subscription);
      this.sendError(`${subscriptionViolation(filter, queue)} (sid ${JSON.stringify(textOf(sid))})`);
    }
  }

  /** Takes limits on that a reload changed. */
  applyLimits(): void {
    const { limits } = this.door;
    this.outbound.pendingBytesMax = limits.pendingBytesMax;
    this.parser.settings.controlLineBytesMax = limits.controlLineBytesMax;
    this.parser.settings.payloadBytesMax = limits.payloadBytesMax;
  }

  // ---- bytes out ----

  deliver(leg: Leg, message: Message, publisher: Publisher | null): boolean {
    const subscription = leg.subscription;
    if (this.gone || subscription.closed || (publisher === this && !this.echo)) return false;
    if (this.deliveryFilter !== null && this.isFiltered(message)) return false;
    subscription.delivered++;
    this.outMessages++;
    this.outBytes += message.payloadEnd - message.headersStart;
    if (message.headersStart === message.payloadStart) this.writePlain(leg, message);
    else this.writeWithHeaders(leg, message);
    if (this.responses !== null && message.replyEnd > message.replyStart) this.responses.allow(message);
    if (this.tracing) this.traceDelivery(leg, message);
    if (subscription.delivered === subscription.deliveredMax) this.dropSubscription(subscription);
    if (this.outbound.congested) this.door.congestion.note(this, publisher);
    return true;
  }

  private writePlain(leg: Leg, message: Message): void {
    const prefix = leg.prefix ?? prefixOf(leg);
    const tailStart = message.tailStart;
    const tailBytes = message.tailEnd - tailStart;
    if (tailStart >= 0 && tailBytes <= LOOP_BYTES_MAX) {
      this.outbound.appendRange(prefix, message.bytes, tailStart, tailBytes);
      return;
    }
    this.outbound.appendPair(prefix, message.tail ?? tailOf(message));
  }

  private writeWithHeaders(leg: Leg, message: Message): void {
    if (!this.headers) {
      this.outbound.appendPair(leg.prefix ?? prefixOf(leg), encodeTailWithoutHeaders(message));
      return;
    }
    leg.headerPrefix ??= deliveryPrefix('HMSG', leg.subject, leg.subscription.sid);
    this.outbound.appendPair(leg.headerPrefix, message.tail ?? tailOf(message));
  }

  private isFiltered(message: Message): boolean {
    return this.deliveryFilter!.deliveryDenied(message.bytes, message.subjectStart, message.subjectEnd);
  }

  send(line: Uint8Array): void {
    this.outbound.append(line);
  }

  private sendOk(): void {
    this.send(OK_LINE);
    if (this.tracing) this.trace('->> [OK]');
  }

  sendError(text: string): void {
    this.send(errorLine(text));
    if (this.tracing) this.trace(`->> [-ERR ${text}]`);
  }

  /** Tells the client what changed about the server (`protocol` 1 clients only). */
  sendInfo(): void {
    if (this.connected && this.options.protocol >= 1) this.send(infoLine(this.door.info.changed(this)));
  }

  // ---- the end ----

  onOverflow(): void {
    const { pendingBytesMax } = this.door.limits;
    this.door.logger.info(`${this.label} - Slow Consumer Detected: MaxPending of ${pendingBytesMax} Exceeded`);
    this.door.slowConsumers++;
    this.close(ClosedReason.slowConsumerPendingBytes);
  }

  onRelief(): void {
    this.door.congestion.relieve(this);
  }

  /**
   * Ends the session: what was sent before still goes out, then `errorText` as `-ERR`. A slow consumer is cut off at once.
   */
  close(reason: ClosedReason, errorText?: string): void {
    if (this.closedReason !== null) return;
    this.closedReason = reason;
    if (errorText !== undefined) this.sendError(errorText);
    this.gone = true;
    this.parser.stop();
    this.keepAlive.stop();
    for (const subscription of this.subscriptions.values()) {
      subscription.closed = true;
      this.account.unsubscribe(subscription);
    }
    const cutOff =
      reason === ClosedReason.slowConsumerPendingBytes || reason === ClosedReason.slowConsumerWriteDeadline;
    this.outbound.close(!cutOff);
    this.door.logger.debug(`${this.label} - Client connection closed: ${reason}`);
    this.door.remove(this);
    if (cutOff) this.transport.destroy();
    else {
      this.transport.end();
      // A peer that does not read must not keep its socket for ever.
      this.door.clock.after(CLOSE_GRACE_MS, () => this.transport.destroy());
    }
  }

  private trace(text: string): void {
    this.door.logger.trace(`${this.label} - ${text}`);
  }

  private tracePublish(message: Message): void {
    const { bytes, subjectStart, headersStart, payloadStart, payloadEnd, tailEnd } = message;
    const verb = payloadStart > headersStart ? 'HPUB' : 'PUB';
    this.trace(`<<- [${verb} ${textOf(bytes, subjectStart, headersStart).trim()}]`);
    const printed = Math.min(payloadEnd, headersStart + this.door.tracedBytesMax);
    if (tailEnd > 0) this.trace(`<<- MSG_PAYLOAD: [${JSON.stringify(textOf(bytes, headersStart, printed))}]`);
  }

  private traceDelivery(leg: Leg, message: Message): void {
    const verb = message.payloadStart > message.headersStart ? 'HMSG' : 'MSG';
    const bytes = message.payloadEnd - message.headersStart;
    this.trace(`->> [${verb} ${textOf(leg.subject)} ${textOf(leg.subscription.sid)} ${bytes}]`);
  }

  /** Whether CONNECT was ever received. */
  get sentConnect(): boolean {
    return this.connectSeen;
  }
}

const CLOSE_GRACE_MS = 2_000;

function prefixOf(leg: Leg): Uint8Array {
  const prefix = deliveryPrefix('MSG', leg.subject, leg.subscription.sid);
  // Kept from the second message on: a subject that is seen once should leave little behind.
  if (leg.used) leg.prefix = prefix;
  leg.used = true;
  return prefix;
}

function tailOf(message: Message): Uint8Array {
  message.tail =
    message.tailStart >= 0 ? message.bytes.subarray(message.tailStart, message.tailEnd) : encodeTail(message);
  return message.tail;
}

const violations: Record<Violation, [string, ClosedReason]> = {
  [Violation.protocol]: [ErrorText.unknownOperation, ClosedReason.protocolViolation],
  [Violation.payload]: [ErrorText.maximumPayload, ClosedReason.maximumPayload],
  [Violation.controlLine]: [ErrorText.maximumControlLine, ClosedReason.maximumControlLine],
  [Violation.headers]: [ErrorText.headersNotSupported, ClosedReason.messageHeaderViolation],
  [Violation.authorization]: [ErrorText.authorizationViolation, ClosedReason.authenticationViolation],
};

const RESERVED_REPLIES = ['_R_.', '$JS.ACK.', '_GR_.'].map(utf8);

/** Reply subjects that only servers may use. */
function isReservedReply(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start];
  if (first !== 0x5f && first !== 0x24) return false;
  return RESERVED_REPLIES.some(
    (prefix) => end - start >= prefix.length && prefix.every((byte, i) => bytes[start + i] === byte),
  );
}
