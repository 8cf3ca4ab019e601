/** What the bench asks a load process to do; everything here crosses a process boundary as JSON. */

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

/** Monotonic, and the same clock in every process of the machine. */
export function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
