/** What the bench asks a load process to do; everything here crosses a process boundary as JSON. */
import type { JsonWebKey } from 'node:crypto';

/** Subjects to publish on or filters to subscribe to: `prefix` alone, or with numbers of a fixed width between both parts. */
export interface SubjectPlan {
  prefix: string;
  /** How many different ones; 0 means the prefix as it is. */
  count: number;
  suffix: string;
  /** The numbers are `first`, `first + step`, …; 0, 1, … when left out. */
  first?: number;
  step?: number;
}

export type PayloadPlan =
  | { kind: 'bytes'; bytes: number }
  /** JSON objects `{"sensor":"s-17","value":…,"pad":"…"}`; `value` goes through `values` in turn. */
  | { kind: 'json'; bytes: number; values: number[] };

/** Messages as clients publish them, or as they arrive: for a server that only copies bytes. */
export type Wire = 'published' | 'delivered';

export interface PublisherOrder {
  port: number;
  tls?: boolean;
  wire: Wire;
  connections: number;
  subjects: SubjectPlan;
  /** Each connection has one of the subjects to itself. */
  subjectEach: boolean;
  payload: PayloadPlan;
  /** Three small headers in front of the payload. */
  headers: boolean;
}

export interface SubscriberOrder {
  port: number;
  tls?: boolean;
  connections: number;
  /** Filters, dealt out to the connections in turn when there are several; each connection gets all of them otherwise. */
  filters: SubjectPlan[];
  deal: boolean;
  queue: string;
  /** A subject as it arrives, and its message: from these follows the length of each delivery. */
  sampleSubject: string;
  payloadBytes: number;
  headers: boolean;
}

export interface PublishResult {
  messages: number;
  startedMs: number;
  endedMs: number;
}

export interface PacedResult extends PublishResult {
  /** When each batch was written, and how many messages were out by then. */
  batchMs: number[];
  batchMessages: number[];
}

export interface ReceiveResult {
  messages: number;
  lastMs: number;
  /** When data came, and how many messages were in by then; empty unless asked for. */
  chunkMs: number[];
  chunkMessages: number[];
}

export interface RequestOrder {
  port: number;
  wire: Wire;
  subject: string;
  payloadBytes: number;
}

export interface RequestResult {
  requests: number;
  elapsedMs: number;
  p50Us: number;
  p99Us: number;
}

/** Requests, or publishes with acknowledgements, on numbered subjects in turn. */
export interface AskOrder {
  port: number;
  connections: number;
  subjects: SubjectPlan;
  payloadBytes: number;
  /** Under way on each connection at most. */
  window: number;
  /** What the answers are; a message comes with headers and at least so many bytes of payload. */
  answer: { kind: 'acknowledgement' } | { kind: 'message'; payloadBytes: number };
}

export interface AskResult {
  answers: number;
  elapsedMs: number;
}

/** Messages of a stream, from one consumer. */
export interface ConsumeOrder {
  port: number;
  stream: string;
  /** The configuration of a consumer that is made at the start of a run; its `deliver_subject` makes it one that pushes. */
  config: { deliver_subject?: string; durable_name?: string; ack_policy: 'none' | 'explicit' } & Record<
    string,
    unknown
  >;
  /** How many a pull request asks for. */
  batch: number;
  /** Asks for more when half of a batch has come, instead of when all has. */
  ahead: boolean;
  payloadBytes: number;
}

export interface ConsumeResult {
  messages: number;
  elapsedMs: number;
}

/** What somebody logs in with: fields of CONNECT, and the private key that signs the nonce, if one has to. */
export interface Credentials {
  fields: object;
  key: JsonWebKey | null;
}

/** Logins with these credentials in turn, each on a connection of its own, so many at a time. */
export interface LoginOrder {
  port: number;
  atOnce: number;
  credentials: Credentials[];
}

export interface LoginResult {
  logins: number;
  elapsedMs: number;
}

/** Monotonic, and the same clock in every process of the machine. */
export function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
