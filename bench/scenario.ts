import type { LoadProcess } from './load-process.js';
import type { Peer } from './peers.js';
import type { ServerProcess } from './server-process.js';

/** A figure that a scenario yields, a row of the table. */
export interface Metric {
  id: string;
  title: string;
  unit: 'msg/s' | 'logins/s' | 'µs' | 'ms' | 'KB' | 'MB' | 's' | '%';
  better: 'higher' | 'lower';
  /** Weir's figure divided by the other's must be at least (higher is better) or at most (lower is better) this. */
  goals?: Goal[];
  /** What Weir's own figure must be at least (higher is better) or at most (lower is better). */
  limit?: number;
}

export interface Goal {
  /** nats-server 2.9.x, or the newest that takes part. */
  than: '2.9' | 'newest';
  ratio: number;
}

/** Figures by metric id; also `serverCores`, `senderCores` and `receiverCores` where throughput was measured. */
export type Sample = Record<string, number>;

export interface Scenario {
  id: string;
  metrics: Metric[];
  /** Only for servers of this kind. */
  only?: Peer['kind'];
  /** Also for the relay: a row where copying bytes is all there is to do. */
  relay?: boolean;
  /** For Weir and the newest nats-server alone. */
  newestOnly?: boolean;
  /** Takes long: in no quick look, or in no run at all, unless it is named. */
  leftOut?: 'quick' | 'always';
  /** No more runs than this, where one takes long and chance has a small part. */
  runsMax?: number;
  /** So many times the usual number of runs, where chance has a large part: which process the kernel puts on which core, say. */
  runsFactor?: number;
  /** Why it cannot run here, or null. */
  obstacle?(): string | null;
  run(run: Run): Promise<Sample>;
}

/** Whether the scenario is run with such a server. */
export function takesPart({ only, newestOnly, relay = false }: Scenario, { kind }: Peer, isNewest: boolean): boolean {
  if (newestOnly === true && kind === 'nats-server' && !isNewest) return false;
  return kind === 'relay' ? relay : only === undefined || only === kind;
}

/** What a scenario has for one run with one server. */
export interface Run {
  peer: Peer;
  /** Whom Weir is compared with: the newest nats-server, or Weir itself when it is alone. */
  rival: Peer;
  /** Two load processes: publishers or requesters are in the first, subscribers or responders in the second. */
  sender: LoadProcess;
  receiver: LoadProcess;
  warmMs: number;
  runMs: number;
  /** How many of something to take: `count`, or a few when only trying out. */
  scale(count: number): number;
  /** Kept from run to run of one scenario, over all servers. */
  shared: Map<string, number>;
  /** A fresh server that is stopped after the run. */
  start(args?: string[], options?: { peer?: Peer; inside?: boolean }): Promise<ServerProcess>;
}
