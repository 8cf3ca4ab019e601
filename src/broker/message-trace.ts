import type { Clock } from '../base/clock.js';
import type { AttachmentCall } from '../host/chain-watch.js';
import type { TraceHeaders } from '../message/trace-headers.js';

/** Kinds of connections in traces, as nats-server counts them. */
const CLIENT = 0;

/** A client's connection, as traces name it. */
interface TracedClient {
  readonly id: number;
  readonly name: string;
  readonly account: string;
}

/** What is known when a traced message comes in. */
interface TraceBeginning {
  readonly headers: TraceHeaders;
  readonly dest: string;
  readonly from: TracedClient;
  readonly subject: string;
  /** Bytes of headers and payload. */
  readonly size: number;
  readonly clock: Clock;
  /** Called once, when nothing is to follow. */
  readonly onWhole: (trace: MessageTrace) => void;
}

/** Keys that stand in every event, and others by its type. */
interface TraceEvent {
  type: 'in' | 'sm' | 'se' | 'si' | 'js' | 'eg';
  ts: string;
  [key: string]: unknown;
}

/** What a stream made of a traced message. */
interface StreamOutcome {
  readonly stream: string;
  /** Under which subject. */
  readonly subject: string;
  /** Nobody waits for it, so it was not stored. */
  readonly noInterest: boolean;
  /** Why it was refused, or null. */
  readonly error: string | null;
}

/** A subscription, as traces name it. */
interface TracedSubscription {
  readonly filter: string;
  readonly queue: string | null;
}

/**
 * What becomes of one message, step by step, in the words of nats-server's trace events. Plugins' steps stand beside the others, under a key
 * of their own: official tools refuse a list with events of types that they do not know.
 */
export class MessageTrace {
  readonly dest: string;
  /** Whether the message is traced and not delivered. */
  readonly only: boolean;
  /** The account that it came into: the trace goes out there. */
  readonly account: string;
  private readonly headers: TraceHeaders;
  private readonly size: number;
  readonly clock: Clock;
  private readonly startedMs: number;
  private readonly startedNs: number;
  private readonly events: TraceEvent[];
  private readonly plugins: object[] = [];
  /** Ways that the message is still on: the first one, and each that waits for plugins beside the event loop. */
  private ways = 1;
  private readonly onWhole: (trace: MessageTrace) => void;

  constructor({ headers, dest, from, subject, size, clock, onWhole }: TraceBeginning) {
    this.dest = dest;
    this.only = headers.only;
    this.account = from.account;
    this.headers = headers;
    this.size = size;
    this.clock = clock;
    this.onWhole = onWhole;
    this.startedMs = clock.nowMs();
    this.startedNs = clock.monotonicNs();
    const { id, name, account } = from;
    const ingress = { kind: CLIENT, cid: id, name: name || undefined, acc: account, subj: subject };
    this.events = [{ type: 'in', ts: this.now(), ...ingress }];
  }

  /** The message waits somewhere: the trace is not whole until it went on from there. */
  begin(): void {
    this.ways++;
  }

  /** It went on, and is where it was to go. */
  end(): void {
    if (--this.ways === 0) this.onWhole(this);
  }

  /** Why the message went no further than this. */
  refused(error: string): void {
    this.events[0].error ??= error;
  }

  mapped(to: string): void {
    this.events.push({ type: 'sm', ts: this.now(), to });
  }

  streamExport(account: string, to: string): void {
    this.events.push({ type: 'se', ts: this.now(), acc: account, to });
  }

  serviceImport(account: string, from: string, to: string): void {
    this.events.push({ type: 'si', ts: this.now(), acc: account, from, to });
  }

  stream({ stream, subject, noInterest, error }: StreamOutcome): void {
    const nointerest = noInterest || undefined;
    this.events.push({ type: 'js', ts: this.now(), stream, subject, nointerest, error: error ?? undefined });
  }

  /** A receiver got it, or did not, and why. */
  egress(client: TracedClient, { filter, queue }: TracedSubscription, error: string | null): void {
    this.events.push({
      ...{ type: 'eg', ts: this.now(), kind: CLIENT, cid: client.id, name: client.name || undefined },
      acc: client.account === this.account ? undefined : client.account,
      ...{ sub: filter, queue: queue ?? undefined, error: error ?? undefined },
    });
  }

  /** A plugin saw the message in an account. */
  plugin(account: string, call: AttachmentCall): void {
    const { attachment, verdict, action, fuel, ns, endedNs, subject, code, text } = call;
    const { name, declaration, version, stage, phase } = attachment;
    this.plugins.push({
      ...{ ts: this.at(endedNs), acc: account, attachment: name, plugin: declaration.plugin, version: version.number },
      ...{ stage, phase, verdict, fuel, ns: ns === null ? undefined : Math.round(ns) },
      ...{ action: action ?? undefined, to: subject ?? undefined, code: code || undefined, error: text || undefined },
    });
  }

  /** The event; `server` is how events name it. */
  json(server: object): object {
    const { events, plugins, headers, size } = this;
    const names = Object.keys(headers.all).sort();
    const header = Object.fromEntries(names.map((name) => [name, headers.all[name]]));
    const request = { header, msgsize: size || undefined };
    return { server, request, events, plugins: plugins.length > 0 ? plugins : undefined };
  }

  /** Steps lie microseconds apart. */
  private now(): string {
    return this.at(this.clock.monotonicNs());
  }

  private at(monotonicNs: number): string {
    const ns = Math.max(0, monotonicNs - this.startedNs);
    const at = this.startedMs + Math.floor(ns / 1e6);
    return `${new Date(at).toISOString().slice(0, -1)}${String(Math.floor(ns % 1e6)).padStart(6, '0')}Z`;
  }
}
