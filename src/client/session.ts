import { randomBytes } from 'node:crypto';
import type { DeliveryFilter } from '../auth/delivery-filter.js';
import type { Identity } from '../auth/identity.js';
import type { Permissions } from '../auth/permissions.js';
import { textOf } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import type { Lane } from '../broker/lane.js';
import type { Mapping } from '../broker/mappings.js';
import type { Route } from '../broker/route.js';
import { withSubject } from '../broker/stream-import.js';
import type { Leg, Publisher, Subscriber, TracedDelivery } from '../broker/subscription.js';
import { type Message, NO_BYTES } from '../message/message.js';
import { mayAskForTrace } from '../message/trace-headers.js';
import { Outbound, type OutboundOwner } from '../net/outbound.js';
import type { Transport, TransportReceiver } from '../net/transport.js';
import { isLiteralSubjectBytes } from '../subject/subject.js';
import { errorLine, infoLine, OK_LINE, PONG_LINE } from '../wire/nats/encoder.js';
import { ErrorText, publishViolation, quoteGo, replyViolation } from '../wire/nats/errors.js';
import { type Operations, Violation } from '../wire/nats/operations.js';
import { Parser } from '../wire/nats/parser.js';
import { goBehind, publishBehind, subscribeBehind } from './behind-lane.js';
import { ClosedReason } from './closed-reason.js';
import { type ConnectOptions, DEFAULT_CONNECT } from './connect-options.js';
import type { ClientContext } from './context.js';
import { writeMessage } from './delivery.js';
import { Handshake } from './handshake.js';
import { KeepAlive } from './keep-alive.js';
import { Membership, type Refusal } from './membership.js';
import { answerNoResponders } from './no-responders.js';
import { Opening } from './opening.js';
import { PauseReason } from './pause-reason.js';
import { type ProtocolTrace, traceIfWanted } from './protocol-trace.js';
import { Reading } from './reading.js';
import { requestInfoOf, userInfoOf, userLabelOf } from './request-info.js';
import { ResponsePermits } from './response-permits.js';
import { rest, restAfterChunk } from './rest.js';
import { ClientSubscriptions } from './subscriptions.js';
import { deliverTraced, publishTraced } from './traced-publish.js';
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
  readonly subscriptions: ClientSubscriptions;
  closedReason: ClosedReason | null = null;
  connected = false;
  tlsFirst = false;
  lastActivityMs: number;
  /** Counters of this connection; `/varz` sums them. */
  inMessages = 0;
  inBytes = 0;
  outMessages = 0;
  outBytes = 0;
  stalls = 0;
  readonly context: ClientContext;
  private readonly parser: Parser;
  private readonly handshake: Handshake;
  readonly membership: Membership;
  /** Null unless the log traces the protocol. */
  private trace: ProtocolTrace | null;
  private connectInfoSent = false;
  private verbose = true;
  private pedantic = true;
  private echo = true;
  /** Whether it understands headers. */
  headers = false;
  private responses: ResponsePermits | null = null;
  deliveryFilter: DeliveryFilter | null = null;
  private gone = false;
  /** Whether plugins saw a message of the chunk at hand. */
  feedsPlugins = false;
  readonly reading: Reading;
  lane: Lane | null = null;

  constructor(id: number, transport: Transport, context: ClientContext) {
    this.id = id;
    this.transport = transport;
    this.context = context;
    this.account = context.account;
    this.startedMs = context.clock.nowMs();
    this.lastActivityMs = this.startedMs;
    this.trace = traceIfWanted(this, this.context);
    this.nonce = context.nonceRequired ? randomBytes(NONCE_BYTES).toString('base64url') : null;
    this.outbound = new Outbound(transport, context.flushQueue, this, context.limits.pendingBytesMax);
    this.parser = new Parser(this, {
      controlLineBytesMax: context.limits.controlLineBytesMax,
      payloadBytesMax: context.limits.payloadBytesMax,
      // Until CONNECT asks for them.
      headers: false,
    });
    this.reading = new Reading(this.parser, transport);
    this.keepAlive = new KeepAlive(this, context);
    this.handshake = new Handshake(this, context);
    this.membership = new Membership(this, context);
    this.subscriptions = new ClientSubscriptions(this, context);
  }

  /** Sends INFO and starts to read, by way of TLS where there is TLS. Who is to be turned away at once (`stays` is false) gets INFO only. */
  open(stays: boolean): void {
    const { tls } = this.context;
    if (tls !== null && stays) new Opening(this, this.context, tls).start();
    else {
      this.sendFirstInfo(tls !== null && !tls.optional);
      this.begin(NO_BYTES);
    }
  }

  sendFirstInfo(tlsRequired: boolean): void {
    this.outbound.append(infoLine(this.context.info.first(this, tlsRequired)));
    this.outbound.flush();
  }

  begin(early: Uint8Array): void {
    this.parser.connectFirst = this.context.authRequired;
    if (this.parser.connectFirst) this.keepAlive.awaitAuthentication();
    else {
      this.handshake.admitUnnamed();
      this.keepAlive.start();
    }
    this.transport.receiver = this;
    if (early.length > 0) this.received(early, 0, early.length);
    // What came with the first bytes may have ended it, or may have to be waited for.
    if (this.closedReason === null && !this.reading.isPaused) this.transport.resume();
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
    if (this.feedsPlugins) restAfterChunk(this);
    if (this.context.congestion.any) this.context.congestion.stall(this, end - start);
  }

  closed(error: Error | null): void {
    this.reading.finish();
    this.close(error === null ? ClosedReason.clientClosed : ClosedReason.readError);
  }

  // ---- operations ----

  onPublish(message: Message): void {
    this.inMessages++;
    this.inBytes += message.payloadEnd - message.headersStart;
    if (this.trace !== null) this.trace.publish(message);
    if (message.payloadStart > message.headersStart && mayAskForTrace(message) && publishTraced(this, message)) return;
    const route = this.account.routeOf(message);
    // What was permitted before goes on from here: behind further calls the engine inlines less (bench: rules).
    const { permissions } = this;
    const mayGo = permissions === null || (route.permissions === permissions && route.permitted);
    if (route.special || !mayGo) this.publishChecked(route, message);
    else this.publishOn(route, message);
  }

  private publishChecked(route: Route, message: Message): void {
    if (route.mapping !== null) this.publishMapped(route.mapping, message);
    else this.publishPermitted(route, message);
  }

  /** Mappings count before permissions do, and only once. */
  private publishMapped(mapping: Mapping, message: Message): void {
    const subject = mapping.pick(textOf(message.bytes, message.subjectStart, message.subjectEnd));
    if (subject === null) {
      if (this.verbose) this.sendOk();
      return;
    }
    const mapped = withSubject(message, subject);
    this.publishPermitted(this.account.routeOf(mapped), mapped);
  }

  private publishPermitted(route: Route, message: Message): void {
    if (this.account.permits(route, message, this)) this.publishOn(route, message);
    else this.onPublishDenied(message);
  }

  private publishOn(route: Route, message: Message): void {
    const withReply = message.replyEnd > message.replyStart;
    if ((withReply || this.verbose || this.pedantic) && !this.mayGoOn(message)) return;
    const throughPlugins = route.chain !== null || route.filtered;
    if (this.lane !== null) {
      publishBehind(this, route, message);
      return;
    }
    const receivers = this.account.publishOn(route, message, this);
    if (receivers === 0 && withReply) answerNoResponders(this, message);
    if (!throughPlugins) return;
    this.feedsPlugins = true;
    if (this.account.mustRest && !this.reading.has(PauseReason.rest)) rest(this);
  }

  onSettled(message: Message, receivers: number): void {
    if (receivers === 0 && message.replyEnd > message.replyStart && !this.gone) answerNoResponders(this, message);
    if (this.context.congestion.any) this.context.congestion.stall(this);
  }

  /** The checks that a plain publish of a usual client does not need. */
  mayGoOn(message: Message): boolean {
    const { bytes, subjectStart, subjectEnd, replyStart, replyEnd } = message;
    if (this.pedantic && !isLiteralSubjectBytes(bytes, subjectStart, subjectEnd)) {
      this.sendError(ErrorText.invalidPublishSubject);
    }
    if (replyEnd > replyStart && isReservedReply(bytes, replyStart, replyEnd)) {
      this.sendError(replyViolation(bytes.subarray(replyStart, replyEnd)));
      return false;
    }
    if (this.verbose) this.sendOk();
    // What was sent may have been one byte too many. The end of a session looks for routes, and leaves nothing of the one at hand.
    return !this.gone;
  }

  onPublishDenied({ bytes, subjectStart, subjectEnd }: Message): void {
    if (this.pedantic && !isLiteralSubjectBytes(bytes, subjectStart, subjectEnd)) {
      this.sendError(ErrorText.invalidPublishSubject);
    }
    const subject = bytes.subarray(subjectStart, subjectEnd);
    this.context.logger.error(`${this.label} - Publish Violation - ${this.userLabel}Subject ${quoteGo(subject)}`);
    this.sendError(publishViolation(subject));
  }

  mayRespond(message: Message): boolean {
    return this.responses?.use(message) ?? false;
  }

  onRejected(message: Message, code: number, text: string): void {
    if (this.gone) return;
    const subject = message.bytes.subarray(message.subjectStart, message.subjectEnd);
    this.sendError(`${publishViolation(subject)}: rejected with ${code} ${text.replace(/[\r\n']+/g, ' ')}`);
  }

  onSubscribe(bytes: Uint8Array, tokens: Int32Array, withQueue: boolean): void {
    if (this.lane !== null) {
      subscribeBehind(this, bytes, tokens, withQueue);
      return;
    }
    this.trace?.line(`<<- [SUB ${textOf(bytes, tokens[0], tokens[withQueue ? 5 : 3])}]`);
    const refusal = this.subscriptions.add(bytes, tokens, withQueue);
    if (refusal !== null) this.sendError(refusal);
    else if (this.verbose) this.sendOk();
  }

  onUnsubscribe(bytes: Uint8Array, sidStart: number, sidEnd: number, max: number): void {
    if (this.lane !== null) {
      const sid = bytes.slice(sidStart, sidEnd);
      goBehind(this, () => this.onUnsubscribe(sid, 0, sid.length, max));
      return;
    }
    this.trace?.line(`<<- [UNSUB ${textOf(bytes, sidStart, sidEnd)}${max > 0 ? ` ${max}` : ''}]`);
    this.subscriptions.limit(bytes, sidStart, sidEnd, max);
    if (this.verbose) this.sendOk();
  }

  onSlice(bytes: number): void {
    this.context.turn.look(this, bytes);
  }

  onPing(): void {
    if (this.lane !== null) {
      goBehind(this, () => this.onPing());
      return;
    }
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

  // ---- who it is ----

  onConnect(bytes: Uint8Array, start: number, end: number): void {
    if (this.lane !== null) {
      const text = bytes.slice(start, end);
      goBehind(this, () => this.onConnect(text, 0, text.length));
      return;
    }
    this.trace?.line('<<- [CONNECT]');
    this.handshake.onConnect(textOf(bytes, start, end));
  }

  /** Reads nothing more of this client until `goOn`: it is being found out who it is. */
  hold(): void {
    // It has said who it is: the rest of the time is ours.
    this.keepAlive.stop();
    this.reading.hold(PauseReason.handshake);
  }

  goOn(): void {
    this.reading.resume(PauseReason.handshake);
  }

  /** CONNECT was accepted. */
  onConnected(options: Readonly<ConnectOptions>, headers: boolean): void {
    this.headers = headers;
    this.parser.settings.headers = headers;
    this.parser.connectFirst = false;
    this.verbose = options.verbose;
    this.pedantic = options.pedantic;
    this.echo = options.echo;
    // CONNECT again is a fresh start, as in nats-server.
    if (this.connected) this.subscriptions.dropAll();
    this.keepAlive.start();
    const again = this.connected;
    this.connected = true;
    if (this.verbose) this.sendOk();
    if (!again) this.context.connected(this.id);
  }

  /** Takes an identity on, at CONNECT or by a reload of users. Answers why it cannot be in its account, or null. */
  setIdentity(identity: Identity): Refusal | null {
    const before = this.account;
    const refusal = this.membership.join(identity);
    if (refusal !== null) return refusal;
    if (before !== this.account) this.subscriptions.moveFrom(before);
    this.parser.settings.payloadBytesMax = this.membership.payloadBytesMax;
    this.identity = identity;
    this.permissions = identity.permissions;
    const limits = identity.permissions?.responses ?? null;
    this.responses = limits === null ? null : new ResponsePermits(limits, this.context.clock);
    this.deliveryFilter = identity.permissions?.deliveryFilter ?? null;
    return null;
  }

  requestInfo(detailed: boolean): object {
    return requestInfoOf(this, detailed, this.context.info.identity.name);
  }

  userInfo(): object {
    return userInfoOf(this, this.context.clock.nowMs());
  }

  refuseAuthentication(): void {
    this.handshake.refuse();
  }

  get user(): string {
    return this.identity?.userName ?? '';
  }

  /** `User "ann", `, or nothing: how the log names who did something. */
  get userLabel(): string {
    return userLabelOf(this).replace(/.$/, '$&, ');
  }

  /** Closes subscriptions that the present permissions no longer allow, telling the client. */
  dropForbiddenSubscriptions(): void {
    this.subscriptions.dropForbidden();
  }

  /** Takes limits on that a reload changed. */
  applyLimits(): void {
    const { limits } = this.context;
    this.outbound.pendingBytesMax = limits.pendingBytesMax;
    this.parser.settings.controlLineBytesMax = limits.controlLineBytesMax;
    this.parser.settings.payloadBytesMax = this.membership.payloadBytesMax;
    this.trace = traceIfWanted(this, this.context);
  }

  // ---- bytes out ----

  deliver(leg: Leg, message: Message, publisher: Publisher | null): boolean {
    const subscription = leg.subscription;
    if (this.gone || subscription.closed || (publisher === this && !this.echo)) return false;
    // One that matches a single subject was judged when it came.
    if (subscription.isWide && this.deliveryFilter?.denies(message, subscription.queue)) return false;
    subscription.delivered++;
    this.outMessages++;
    this.outBytes += message.payloadEnd - message.headersStart;
    writeMessage(this.outbound, leg, message, this.headers);
    if (this.responses !== null && message.replyEnd > message.replyStart) this.responses.allow(message);
    if (this.trace !== null) this.trace.delivery(leg, message);
    if (subscription.delivered === subscription.deliveredMax) this.subscriptions.drop(subscription);
    if (this.outbound.congested) this.context.congestion.note(this, publisher);
    return true;
  }

  deliverShown(leg: Leg, message: Message, publisher: Publisher | null): boolean {
    return !this.deliveryFilter?.denies(message, leg.subscription.queue) && this.deliver(leg, message, publisher);
  }

  deliverTraced(leg: Leg, message: Message, delivery: TracedDelivery): boolean {
    return deliverTraced(this, { leg, message, delivery });
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

  /** Asks the client to go to another server. */
  sendLeave(): void {
    this.send(infoLine(this.context.info.leaving(this)));
  }

  // ---- the end ----

  onOverflow(): void {
    const { pendingBytesMax } = this.context.limits;
    this.context.logger.info(`${this.label} - Slow Consumer Detected: MaxPending of ${pendingBytesMax} Exceeded`);
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
    this.reading.end();
    this.keepAlive.stop();
    this.subscriptions.end();
    const cutOff =
      reason === ClosedReason.slowConsumerPendingBytes || reason === ClosedReason.slowConsumerWriteDeadline;
    this.outbound.close(!cutOff);
    this.context.logger.debug(`${this.label} - Client connection closed: ${reason}`);
    this.membership.leave();
    this.context.remove(this.id);
    if (cutOff) this.transport.destroy();
    else {
      this.transport.end(errorText !== undefined);
      // A peer that does not read must not keep its socket for ever.
      this.context.clock.after(CLOSE_GRACE_MS, () => this.transport.destroy());
    }
  }

  /** Whether CONNECT was ever received. */
  get sentConnect(): boolean {
    return this.handshake.connectSeen;
  }
}

const CLOSE_GRACE_MS = 2_000;
const NONCE_BYTES = 11;
