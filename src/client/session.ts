import type { Identity } from '../auth/identity.js';
import type { Permissions } from '../auth/permissions.js';
import { textOf, utf8 } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import { type Leg, type Publisher, type Subscriber, Subscription } from '../broker/subscription.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { Outbound, type OutboundOwner } from '../net/outbound.js';
import type { Transport, TransportReceiver } from '../net/transport.js';
import { isFilter, isLiteralSubjectBytes } from '../subject/subject.js';
import { errorLine, infoLine, OK_LINE, PONG_LINE } from '../wire/nats/encoder.js';
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
import type { ClientContext } from './context.js';
import { writeMessage } from './delivery.js';
import { KeepAlive } from './keep-alive.js';
import { ProtocolTrace } from './protocol-trace.js';
import { ResponsePermits } from './response-permits.js';
import { isReservedReply, VIOLATIONS } from './violations.js';

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
  private readonly context: ClientContext;
  private readonly parser: Parser;
  /** Null unless the log traces the protocol. */
  private readonly trace: ProtocolTrace | null;
  private connectSeen = false;
  private connectInfoSent = false;
  private verbose = true;
  private pedantic = true;
  private echo = true;
  private headers = false;
  private responses: ResponsePermits | null = null;
  private deliveryFilter: Permissions | null = null;
  private gone = false;

  constructor(id: number, transport: Transport, context: ClientContext) {
    this.id = id;
    this.transport = transport;
    this.context = context;
    this.account = context.account;
    this.startedMs = context.clock.nowMs();
    this.lastActivityMs = this.startedMs;
    this.trace = context.logger.traceEnabled ? new ProtocolTrace(this, context) : null;
    this.nonce = null;
    this.outbound = new Outbound(transport, context.flushQueue, this, context.limits.pendingBytesMax);
    this.parser = new Parser(this, {
      controlLineBytesMax: context.limits.controlLineBytesMax,
      payloadBytesMax: context.limits.payloadBytesMax,
      // Until CONNECT asks for them.
      headers: false,
    });
    this.keepAlive = new KeepAlive(this, context);
  }

  /** Sends INFO and starts to read. */
  open(): void {
    this.outbound.append(infoLine(this.context.info.first(this)));
    this.outbound.flush();
    this.parser.connectFirst = this.context.authRequired;
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
    this.lastActivityMs = this.context.clock.nowMs();
    this.parser.parse(bytes, start, end);
    if (this.context.congestion.any) this.context.congestion.stall(this);
  }

  closed(error: Error | null): void {
    if (error !== null) this.close(ClosedReason.readError);
    else this.close(ClosedReason.clientClosed);
  }

  // ---- operations ----

  onPublish(message: Message): void {
    this.inMessages++;
    this.inBytes += message.payloadEnd - message.headersStart;
    if (this.trace !== null) this.trace.publish(message);
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
    this.context.logger.error(
      `${this.label} - Publish Violation - ${this.userLabel}Subject ${JSON.stringify(subject)}`,
    );
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
    // Not a delivery: it does not count for an automatic UNSUB.
    if (own !== undefined) writeMessage(this.outbound, own, answer, true);
  }

  onSubscribe(bytes: Uint8Array, tokens: Int32Array, withQueue: boolean): void {
    const filter = textOf(bytes, tokens[0], tokens[1]);
    const queue = withQueue ? textOf(bytes, tokens[2], tokens[3]) : null;
    const sidAt = withQueue ? 4 : 2;
    const sid = textOf(bytes, tokens[sidAt], tokens[sidAt + 1]);
    this.trace?.line(`<<- [SUB ${filter} ${queue === null ? '' : `${queue} `}${sid}]`);
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
    const { subscriptionsMax, subscriptionTokensMax } = this.context.limits;
    if (this.permissions !== null && this.permissions.subscribeAllowed(filter, queue) === 'denied') {
      const queueLabel = queue === null ? '' : `, Queue ${JSON.stringify(queue)}`;
      this.context.logger.error(
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
    this.trace?.line(`<<- [UNSUB ${sid}${max > 0 ? ` ${max}` : ''}]`);
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
    this.trace?.line('<<- [PING]');
    this.send(PONG_LINE);
    this.trace?.line('->> [PONG]');
    if (this.connectInfoSent || !this.connected) return;
    this.connectInfoSent = true;
    // PONG comes first: clients abort when anything else answers their first PING.
    if (this.options.protocol >= 1) this.send(infoLine(this.context.info.connected(this)));
  }

  onPong(): void {
    this.trace?.line('<<- [PONG]');
    this.keepAlive.onPong();
  }

  onError(bytes: Uint8Array, start: number, end: number): void {
    this.context.logger.error(`${this.label} - Client Error ${textOf(bytes, start, end).trim()}`);
    this.close(ClosedReason.parseError);
  }

  onViolation(violation: Violation, bytes: Uint8Array, start: number, end: number): void {
    if (violation === Violation.authorization) {
      this.refuseAuthentication();
      return;
    }
    const { said, logged, reason } = VIOLATIONS[violation];
    const snippet = JSON.stringify(textOf(bytes, start, Math.min(end, start + 32)));
    this.context.logger.error(`${this.label} - ${said ?? logged}, near ${snippet}`);
    this.close(reason, said);
  }

  // ---- handshake ----

  onConnect(bytes: Uint8Array, start: number, end: number): void {
    const options = readConnect(textOf(bytes, start, end), this.options);
    this.trace?.line('<<- [CONNECT]');
    if (typeof options === 'string') {
      this.context.logger.error(`${this.label} - ${options}`);
      this.close(ClosedReason.protocolViolation);
      return;
    }
    this.options = options;
    this.connectSeen = true;
    const verdict = this.context.authenticate(options, this.transport);
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
      this.context.logger.error(
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
    this.headers = options.headers && this.context.limits.headers;
    this.parser.settings.headers = this.headers;
    if (options.noResponders && !this.headers) {
      this.close(ClosedReason.noRespondersRequiresHeaders, ErrorText.noRespondersNeedsHeaders);
      return;
    }
    this.parser.connectFirst = false;
    this.verbose = options.verbose;
    this.pedantic = options.pedantic;
    this.echo = options.echo;
    // CONNECT again is a fresh start, as in nats-server.
    if (this.connected)
      for (const subscription of [...this.subscriptions.values()]) this.dropSubscription(subscription);
    else this.keepAlive.start();
    this.connected = true;
    if (this.verbose) this.sendOk();
  }

  /** Takes an identity on, at CONNECT or by a reload of users. */
  setIdentity(identity: Identity): void {
    this.identity = identity;
    this.permissions = identity.permissions;
    const limits = identity.permissions?.responses ?? null;
    this.responses = limits === null ? null : new ResponsePermits(limits, this.context.clock);
    this.deliveryFilter = identity.permissions?.hasDeliveryFilter ? identity.permissions : null;
  }

  refuseAuthentication(): void {
    this.context.logger.error(
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
    const { limits } = this.context;
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
    writeMessage(this.outbound, leg, message, this.headers);
    if (this.responses !== null && message.replyEnd > message.replyStart) this.responses.allow(message);
    if (this.trace !== null) this.trace.delivery(leg, message);
    if (subscription.delivered === subscription.deliveredMax) this.dropSubscription(subscription);
    if (this.outbound.congested) this.context.congestion.note(this, publisher);
    return true;
  }

  private isFiltered(message: Message): boolean {
    return this.deliveryFilter!.deliveryDenied(message.bytes, message.subjectStart, message.subjectEnd);
  }

  send(line: Uint8Array): void {
    this.outbound.append(line);
  }

  private sendOk(): void {
    this.send(OK_LINE);
    this.trace?.line('->> [OK]');
  }

  sendError(text: string): void {
    this.send(errorLine(text));
    this.trace?.line(`->> [-ERR ${text}]`);
  }

  /** Tells the client what changed about the server (`protocol` 1 clients only). */
  sendInfo(): void {
    if (this.connected && this.options.protocol >= 1) this.send(infoLine(this.context.info.changed(this)));
  }

  // ---- the end ----

  onOverflow(): void {
    const { pendingBytesMax } = this.context.limits;
    this.context.logger.info(`${this.label} - Slow Consumer Detected: MaxPending of ${pendingBytesMax} Exceeded`);
    this.context.slowConsumers++;
    this.close(ClosedReason.slowConsumerPendingBytes);
  }

  onRelief(): void {
    this.context.congestion.relieve(this);
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
    this.context.logger.debug(`${this.label} - Client connection closed: ${reason}`);
    this.context.remove(this.id);
    if (cutOff) this.transport.destroy();
    else {
      this.transport.end();
      // A peer that does not read must not keep its socket for ever.
      this.context.clock.after(CLOSE_GRACE_MS, () => this.transport.destroy());
    }
  }

  /** Whether CONNECT was ever received. */
  get sentConnect(): boolean {
    return this.connectSeen;
  }
}

const CLOSE_GRACE_MS = 2_000;
