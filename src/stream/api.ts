import { textOf, utf8 } from '../base/bytes.js';
import { API_LEVEL } from '../base/version.js';
import { type Leg, type Subscriber, Subscription } from '../broker/subscription.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { readAckAddress, readAckVerb } from './ack-message.js';
import { CONSUMER_OPERATIONS } from './api-consumers.js';
import { ApiError, type ApiErrorJson, apiError, errorJson } from './api-error.js';
import { MESSAGE_OPERATIONS } from './api-messages.js';
import type { ApiRequest, ApiStats, Operation } from './api-request.js';
import { SNAPSHOT_OPERATIONS } from './api-snapshots.js';
import { STREAM_OPERATIONS } from './api-streams.js';
import { DirectGet } from './direct-get.js';
import { HEADER, type Headers, readHeaders, status } from './headers.js';
import { KeyGet } from './key-get.js';
import { RequestTurns, type Work } from './request-turns.js';
import type { Streams } from './streams.js';

const PREFIX = '$JS.API.';
const API_FILTER = '$JS.API.>';
const OPERATIONS = [...STREAM_OPERATIONS, ...MESSAGE_OPERATIONS, ...CONSUMER_OPERATIONS, ...SNAPSHOT_OPERATIONS];
const TYPE = (name: string) => `io.nats.jetstream.api.v1.${name}_response`;

/** The `$JS` subjects of one account: the API, acknowledgements, flow control. */
export class StreamApi implements Subscriber {
  readonly stats: ApiStats = { total: 0, errors: 0, inFlight: 0 };
  private readonly streams: Streams;
  private readonly strict: boolean;
  private readonly keyGet: KeyGet;
  private readonly subscriptions: Subscription[] = [];
  private readonly turns: RequestTurns;
  private dropping = false;
  /** Where the API's own part of a subject begins, by the first token behind `$JS`. */
  private readonly domainPrefix: string;

  constructor(streams: Streams, strict: boolean) {
    this.streams = streams;
    this.strict = strict;
    this.turns = new RequestTurns(streams.clock);
    this.keyGet = new KeyGet(streams);
    this.domainPrefix = streams.domain === '' ? '' : `$JS.${streams.domain}.API.`;
    const filters = [API_FILTER, '$JS.ACK.>', '$JS.FC.>'];
    if (this.domainPrefix !== '') filters.push(`${this.domainPrefix}>`);
    for (const filter of filters) {
      const subscription = new Subscription(this, utf8(filter), null, utf8('js'));
      this.subscriptions.push(subscription);
      streams.broker.subscribe(subscription);
    }
  }

  close(): void {
    for (const subscription of this.subscriptions) this.streams.broker.unsubscribe(subscription);
  }

  deliver(leg: Leg, message: Message): boolean {
    const { filter } = leg.subscription;
    if (filter === '$JS.ACK.>') return this.onAck(message);
    const prefix = filter === API_FILTER ? PREFIX : this.domainPrefix;
    if (filter !== '$JS.FC.>' && this.keyGet.answer(message, message.subjectStart + prefix.length)) return true;
    const subject = textOf(message.bytes, message.subjectStart, message.subjectEnd);
    if (filter === '$JS.FC.>') return this.onFlow(subject, message);
    return this.onRequest(subject.slice(prefix.length), message);
  }

  private onAck(message: Message): boolean {
    const address = readAckAddress(message);
    const verb = address === null ? null : readAckVerb(message);
    if (address === null || verb === null) return true;
    const consumer = this.streams.find(address.stream)?.consumers.get(address.consumer);
    // Where nothing is acknowledged nobody listens: whoever waits for an answer hears so at once.
    if (consumer === undefined || consumer.config.ack_policy === 'none') return false;
    const { replyStart, replyEnd } = message;
    const reply = replyEnd > replyStart ? message.bytes.slice(replyStart, replyEnd) : NO_BYTES;
    consumer.onAck(address, verb, reply);
    if (reply.length > 0 && verb.kind !== 'next') void this.confirm(address.stream, address.consumer, reply);
    return true;
  }

  /** Answers an acknowledgement once what it said is durable. Without an answer the client asks again. */
  private async confirm(streamName: string, consumer: string, reply: Uint8Array): Promise<void> {
    if ((await this.streams.find(streamName)?.store.flush(consumer)) === false) return;
    this.send(reply, null, NO_BYTES);
  }

  /** `$JS.FC.<stream>.<consumer>.<id>`. */
  private onFlow(subject: string, message: Message): boolean {
    const [, , stream, consumer] = subject.split('.');
    const headers = message.payloadStart > message.headersStart ? readHeaders(message) : null;
    const said = (name: string) => Number(headers?.get(name) ?? 0) || 0;
    const [own, ofStream] = [said(HEADER.lastConsumer), said(HEADER.lastStream)];
    this.streams.find(stream)?.consumers.get(consumer)?.onFlowReply(subject, own, ofStream);
    return true;
  }

  private onRequest(name: string, message: Message): boolean {
    const { bytes, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
    const reply = bytes.slice(replyStart, replyEnd);
    const payload = textOf(bytes, payloadStart, payloadEnd);
    const headers = payloadStart > headersStart ? readHeaders(message) : null;
    const tokens = name.split('.');
    if (name.startsWith('CONSUMER.MSG.NEXT.')) return this.onNext(tokens.slice(3), payload, { reply, headers });
    if (name.startsWith('DIRECT.GET.')) return this.onDirectGet(tokens.slice(2), payload, { reply, headers });
    const operation = findOperation(tokens);
    // As in nats-server: whoever imports these subjects and others under one prefix sends here what is meant for the others, too.
    if (operation === undefined) return true;
    const args = tokens.slice(operation.name.split('.').length);
    const { streams, strict, stats } = this;
    const request = { streams, args, payload, headers, reply, replyHeaders: null, insert: null, strict, stats };
    this.inTurns(payload.length, () => void this.answer(operation, request, `$JS.API.${name}`));
    return true;
  }

  private inTurns(bytes: number, work: Work): void {
    const taken = this.turns.run(bytes, work);
    if (!taken && !this.dropping) this.streams.logger.warn('JetStream API queue limit reached, dropping requests');
    this.dropping = !taken;
  }

  private onNext([stream, name]: string[], payload: string, { reply, headers }: Asked): boolean {
    const consumer = this.streams.find(stream)?.consumers.get(name);
    if (consumer === undefined) return false;
    if (isTooNew(headers)) this.send(reply, status('412 Required Api Level'), NO_BYTES);
    else if (consumer.pull === null) this.send(reply, status('409 Consumer is push based'), NO_BYTES);
    else consumer.onRequest(payload, reply);
    return true;
  }

  private onDirectGet([name, ...key]: string[], payload: string, { reply, headers }: Asked): boolean {
    const stream = this.streams.find(name);
    if (stream === undefined || !stream.config.allow_direct) return false;
    if (reply.length === 0) return true;
    if (isTooNew(headers)) this.send(reply, status('412 Required Api Level'), NO_BYTES);
    else new DirectGet(stream, reply, (work) => this.inTurns(payload.length, work)).answer(payload, key.join('.'));
    return true;
  }

  private async answer(operation: Operation, request: ApiRequest, subject: string): Promise<void> {
    const { stats } = this;
    stats.inFlight++;
    const type = TYPE(operation.type);
    let said: object;
    try {
      if (isTooNew(request.headers)) throw apiError('requiredApiLevel');
      said = { type, ...(await operation.handle(request)) };
    } catch (error) {
      stats.errors++;
      said = { type, error: this.errorOf(error, subject), ...operation.always };
    }
    stats.inFlight--;
    stats.total++;
    const { insert } = request;
    let text = JSON.stringify(said);
    if (insert !== null) text = text.replace(JSON.stringify(insert.place), () => insert.json);
    this.send(request.reply, request.replyHeaders, utf8(text));
    this.audit(subject, request.payload, text);
  }

  private errorOf(error: unknown, subject: string): ApiErrorJson {
    if (error instanceof ApiError) return error.json;
    const text = error instanceof Error ? error.message : String(error);
    this.streams.logger.error(`JetStream: cannot serve ${subject}: ${text}`);
    return errorJson('streamGeneralError', { err: text });
  }

  private audit(subject: string, request: string, response: string): void {
    const { name } = this.streams.broker;
    this.streams.advise('API', 'api_audit', { server: '', client: { acc: name }, subject, request, response });
  }

  private send(reply: Uint8Array, headers: Uint8Array | null, payload: Uint8Array): void {
    if (reply.length === 0) return;
    this.streams.broker.publishDirect(composeMessage({ subject: reply, reply: null, headers, payload }));
  }
}

/** The `type` of answers to a request on this subject. */
export function typeOfOperation(subject: string): string {
  return TYPE(findOperation(subject.split('.').slice(2))?.type ?? 'system');
}

/** What a request brought beside its payload. */
interface Asked {
  reply: Uint8Array;
  headers: Headers | null;
}

function findOperation(tokens: readonly string[]): Operation | undefined {
  return OPERATIONS.find(({ name, args: [least, most] }) => {
    const named = name.split('.');
    const rest = tokens.length - named.length;
    return rest >= least && rest <= most && named.every((token, i) => token === tokens[i]);
  });
}

/** Whether the request asks for more than is spoken here. */
function isTooNew(headers: Headers | null): boolean {
  const wanted = headers?.get(HEADER.requiredApiLevel) ?? '';
  return wanted !== '' && !(Number(wanted) <= API_LEVEL);
}
