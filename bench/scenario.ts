import type { LoadProcess } from './load-process.js';
import type { Peer } from './peers.js';
import type { ServerProcess } from './server-process.js';

/** A figure that a scenario yields, a row of the table. */
export interface Metric {
  id: string;
  title: string;
  unit: 'msg/s' | 'µs' | 'ms' | 'KB' | 'MB' | 's' | '%';
  better: 'higher' | 'lower';
  /** Weir's figure divided by the other's must be at least (higher is better) or at most (lower is better) this. */
  goals?: Goal[];
  /** What Weir's own figure may be at most. */
  atMost?: number;
}

export interface Goal {
  than: '2.9' | 'newest';
  ratio: number;
}

/** Figures by metric id. */
export type Sample = Record<string, number>;

export interface Scenario {
  id: string;
  metrics: Metric[];
  /** Only for servers of this kind. */
  only?: Peer['kind'];
  run(run: Run): Promise<Sample>;
}

/** What a scenario has for one run with one server. */
export interface Run {
  peer: Peer;
  /** Two load processes: publishers or requesters are in the first, subscribers or responders in the second. */
  sender: LoadProcess;
  receiver: LoadProcess;
  warmMs: number;
  runMs: number;
  quick: boolean;
  /** A server that is stopped after the run. */
  start(args?: string[]): Promise<ServerProcess>;
}
