import { textOf, utf8 } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { composeMessage, type Message } from '../message/message.js';
import { untracedHeaders } from '../message/trace-headers.js';
import { SubjectTransform } from '../subject/transform.js';
import type { Account } from './account.js';
import type { ExportSettings, ImportSettings } from './account-settings.js';
import { PUBLISH_CONSUMED } from './delivery.js';
import { LatencySample, sampled } from './latency.js';
import { REQUESTED } from './part.js';
import { isAckSubject, type Responses } from './responses.js';
import { withSubject } from './stream-import.js';
import { type Leg, type Publisher, type Subscriber, Subscription, type TracedDelivery } from './subscription.js';
import { subjectOf, tracedFrom } from './traced-publish.js';

const DEPTH_MAX = 32;
let depth = 0;
/** The request that is being published in a service's account, and whose it is: that account may import the service itself. */
let current: { request: Message; requestor: Publisher | null } | null = null;

/** The other side of a service import. */
export interface ImportedService {
  account: Account;
  settings: ExportSettings;
  responses: Responses;
  /** Of who imports it. */
  back: Responses;
}

/** Carries requests of an account to a service of another one, and its answers back. It listens here as any subscriber. */
export class ServiceImport implements Subscriber {
  readonly link = 'service';
  private readonly importer: Account;
  private readonly service: ImportedService;
  private readonly share: boolean;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly subscription: Subscription;
  private readonly rename: (subject: string) => string;

  constructor(
    importer: Account,
    service: ImportedService,
    { settings, clock, random }: { settings: ImportSettings; clock: Clock; random: () => number },
  ) {
    this.importer = importer;
    this.service = service;
    this.share = settings.share;
    this.clock = clock;
    this.random = random;
    const { filter, rename } = renaming(settings);
    this.rename = rename;
    this.subscription = new Subscription(this, utf8(filter), null, utf8('service'), true);
    importer.subscribe(this.subscription);
  }

  end(): void {
    this.subscription.closed = true;
    this.importer.unsubscribe(this.subscription);
  }

  deliver(_leg: Leg, message: Message, publisher: Publisher | null): boolean {
    return this.handOn(message, publisher, null);
  }

  deliverTraced(_leg: Leg, message: Message, delivery: TracedDelivery): boolean {
    return this.handOn(message, delivery.publisher, delivery);
  }

  /** What a stream hands out: it goes where a request to `address` would go, under its own subject. */
  deliverTo(address: Message, message: Message): number {
    const { account } = this.service;
    const subject = account.mappedSubject(this.rename(subjectOf(address)));
    if (subject === null || this.subscription.closed || depth >= DEPTH_MAX) return 0;
    depth++;
    try {
      return account.deliverToPart(withSubject(address, subject), message, REQUESTED);
    } finally {
      depth--;
    }
  }

  private handOn(message: Message, publisher: Publisher | null, traced: TracedDelivery | null): boolean {
    if (this.subscription.closed || depth >= DEPTH_MAX) return false;
    depth++;
    try {
      return this.request(message, publisher, traced);
    } finally {
      depth--;
    }
  }

  private request(message: Message, publisher: Publisher | null, traced: TracedDelivery | null): boolean {
    const { account, responses } = this.service;
    const { bytes, subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = message;
    const subject = account.mappedSubject(this.rename(textOf(bytes, subjectStart, subjectEnd)));
    if (subject === null) return false;
    const chained = current?.request === message;
    const requestor = chained ? current!.requestor : publisher;
    const reply = this.replyOf(message, requestor);
    const headers = bytes.subarray(headersStart, payloadStart);
    // Its header was written here.
    const info =
      chained && requestor?.requestInfo !== undefined
        ? chainedInfo(headers, this.importer.name)
        : (publisher?.requestInfo?.(this.share) ?? null);
    const request = composeMessage({
      subject: utf8(subject),
      reply: reply === null ? null : utf8(reply),
      headers: info === null ? headers : withRequestInfo(headers, info),
      payload: bytes.subarray(payloadStart, payloadEnd),
    });
    const before = current;
    current = { request, requestor };
    const receivers = traced === null ? account.publishRequest(request) : this.publishTraced(message, request, traced);
    current = before;
    const delivered = receivers > 0 || receivers === PUBLISH_CONSUMED;
    if (reply !== null && (!delivered || traced?.trace.only)) responses.forget(reply, delivered);
    return delivered;
  }

  private publishTraced(received: Message, request: Message, delivery: TracedDelivery): number {
    const { account, settings } = this.service;
    const { trace, hidden } = delivery;
    if (!hidden) trace.serviceImport(account.name, subjectOf(received), subjectOf(request));
    if (settings.allowTrace && !hidden)
      return account.publishTraced(request, { ...tracedFrom(trace, null), part: REQUESTED });
    if (trace.only) return 0;
    const { headersStart, payloadStart, bytes, subjectEnd, replyStart, replyEnd } = request;
    return account.publishRequest(
      composeMessage({
        subject: bytes.subarray(0, subjectEnd),
        reply: replyEnd > replyStart ? bytes.subarray(replyStart, replyEnd) : null,
        headers: untracedHeaders(bytes.subarray(headersStart, payloadStart)),
        payload: bytes.subarray(payloadStart),
      }),
    );
  }

  /** Where the answer is to go in the other account: to a subject that leads back here. */
  private replyOf(message: Message, requestor: Publisher | null): string | null {
    const { bytes, replyStart, replyEnd } = message;
    const latency = this.sampleOf(message, requestor);
    if (replyEnd === replyStart) {
      latency?.bad();
      return null;
    }
    const reply = textOf(bytes, replyStart, replyEnd);
    if (isAckSubject(reply)) return reply;
    const { settings, responses, back } = this.service;
    return responses.expect({
      account: this.importer,
      reply: bytes.slice(replyStart, replyEnd),
      type: settings.responseType,
      thresholdMs: settings.responseThresholdMs,
      latency,
      back,
    });
  }

  /** How long the answer takes, where that is asked for of this request. */
  private sampleOf(message: Message, requestor: Publisher | null): LatencySample | null {
    const { settings, account } = this.service;
    const { latency, responseType } = settings;
    if (latency === null || responseType !== 'singleton') return null;
    const sample = sampled(latency, message, this.random);
    if (sample === null) return null;
    const { subject } = latency;
    const { share, clock } = this;
    return new LatencySample({ audience: account, subject, requestor, share, headers: sample.headers, clock });
  }
}

/** Which subjects here are meant, and which they are there. `$2` here is the second wildcard there. */
function renaming({ subject, to }: ImportSettings): { filter: string; rename: (name: string) => string } {
  if (to === '' || to === subject) return { filter: subject, rename: (name) => name };
  const tokens = to.split('.');
  const wildcards = tokens.filter((token) => token === '*' || /^\$\d+$/.test(token));
  const filter = tokens.map((token) => (/^\$\d+$/.test(token) ? '*' : token)).join('.');
  let star = 0;
  const destination = subject
    .split('.')
    .map((token) => {
      if (token !== '*') return token;
      star++;
      const at = wildcards.indexOf(`$${star}`);
      return `$${at >= 0 ? at + 1 : star}`;
    })
    .join('.');
  const transform = new SubjectTransform(filter, destination);
  return { filter, rename: (name) => transform.apply(name) };
}

/** Who asked, as the account says that the request came to first, and which account it came through. */
function chainedInfo(headers: Uint8Array, service: string): object | null {
  const line = /\r\nNats-Request-Info: ([^\r\n]*)\r\n/.exec(textOf(headers));
  if (line === null) return null;
  const { start, host, id, acc, svc: _, ...rest } = JSON.parse(line[1]);
  return { start, host, id, acc, svc: service, ...rest };
}

const FIRST_LINE = 'NATS/1.0\r\n';

/** The headers with one more, or instead of one that the client made up. */
function withRequestInfo(headers: Uint8Array, info: object): Uint8Array {
  const before = headers.length === 0 ? `${FIRST_LINE}\r\n` : textOf(headers);
  // A block that does not end as it should must not take the line behind it for its own.
  const lines = before.endsWith('\r\n\r\n') ? before.slice(0, -2) : `${before}\r\n`;
  const kept = lines.replace(/\r\nNats-Request-Info:[^\r\n]*/gi, '');
  return utf8(`${kept}Nats-Request-Info: ${JSON.stringify(info)}\r\n\r\n`);
}
