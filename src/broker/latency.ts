import { randomUUID } from 'node:crypto';
import { utf8 } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import { composeMessage, type Message } from '../message/message.js';
import { type SamplingHeaders, samplingHeaders } from '../message/sampling-headers.js';
import type { Publisher } from './subscription.js';

/** What a service's measurements are made with. */
export interface LatencySettings {
  subject: string;
  /** Of how many requests in a hundred; 0 is of those whose headers ask for it. */
  sampling: number;
}

/** Who is told of a request: the account of the service, under a subject of its own. */
interface Audience {
  publishDirect(message: Message): number;
}

interface Request {
  audience: Audience;
  subject: string;
  requestor: Publisher | null;
  /** Whether all of the requestor may be told. */
  share: boolean;
  headers: SamplingHeaders | null;
  clock: Clock;
}

/** The part of a client's information that is looked into. */
type Info = { rtt?: number } | undefined;

/** Whether a request is to be measured: null is no; otherwise by which of its headers, if by any. */
export function sampled(
  { sampling }: LatencySettings,
  message: Message,
  random: () => number,
): { headers: SamplingHeaders | null } | null {
  if (sampling > 0 && random() * 100 < sampling) return { headers: null };
  const headers = samplingHeaders(message);
  return headers === null ? null : { headers };
}

/** One request to a service of another account, and what is published of how long its answer took, as nats-server does. */
export class LatencySample {
  private readonly request: Request;
  private readonly startMs: number;
  private readonly startNs: number;
  private told = false;

  constructor(request: Request) {
    this.request = request;
    this.startMs = request.clock.nowMs();
    this.startNs = request.clock.monotonicNs();
  }

  answered(responder: Publisher | null): void {
    const asked = this.requestor();
    const answering = responder?.requestInfo?.(true) as Info;
    const tookNs = Math.round(this.request.clock.monotonicNs() - this.startNs);
    this.tell({
      status: 200,
      requestor: asked,
      responder: answering,
      service: Math.max(0, tookNs - (answering?.rtt ?? 0)),
      total: tookNs + (asked?.rtt ?? 0),
    });
  }

  /** It says nowhere that an answer is wanted. */
  bad(): void {
    this.failed(400, 'Bad Request');
  }

  /** Who asked listens no more. */
  abandoned(): void {
    this.failed(408, 'Request Timeout');
  }

  /** Nobody took it. */
  undelivered(): void {
    this.failed(503, 'Service Unavailable');
  }

  late(): void {
    this.failed(504, 'Service Timeout');
  }

  private failed(status: number, description: string): void {
    this.tell({ status, description, requestor: this.requestor(), service: 0, total: 0 });
  }

  private requestor(): Info {
    return this.request.requestor?.requestInfo?.(this.request.share) as Info;
  }

  private tell(outcome: {
    status: number;
    description?: string;
    requestor: Info;
    responder?: Info;
    service: number;
    total: number;
  }): void {
    if (this.told) return;
    this.told = true;
    const { audience, subject, headers, clock } = this.request;
    const { status, description, requestor, responder, service, total } = outcome;
    const metric = {
      type: 'io.nats.server.metric.v1.service_latency',
      id: randomUUID().replaceAll('-', '').slice(0, 22),
      timestamp: new Date(clock.nowMs()).toISOString(),
      ...{ status, description, requestor, responder, header: headers ?? undefined },
      start: new Date(this.startMs - (requestor?.rtt ?? 0) / 1e6).toISOString(),
      ...{ service, system: 0, total },
    };
    const payload = utf8(JSON.stringify(metric));
    audience.publishDirect(composeMessage({ subject: utf8(subject), reply: null, headers: null, payload }));
  }
}
