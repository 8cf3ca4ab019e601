import type { FaultCause } from '../sandbox/fault.js';

/** Calls by verdict, and what they cost. */
export interface AttachmentCounters {
  calls: number;
  passed: number;
  dropped: number;
  replaced: number;
  rejected: number;
  faults: Partial<Record<FaultCause, number>>;
  /** Fuel units over all calls. */
  fuel: number;
  /** Nanoseconds over the calls that were timed, and how many those were. */
  timedNs: number;
  timedCalls: number;
  bytesIn: number;
  bytesOut: number;
  emits: number;
  logs: number;
  logsDropped: number;
  renewals: number;
  ticks: number;
  metrics: Record<string, number>;
}

export function noCounters(): AttachmentCounters {
  return {
    calls: 0,
    passed: 0,
    dropped: 0,
    replaced: 0,
    rejected: 0,
    faults: {},
    fuel: 0,
    timedNs: 0,
    timedCalls: 0,
    bytesIn: 0,
    bytesOut: 0,
    emits: 0,
    logs: 0,
    logsDropped: 0,
    renewals: 0,
    ticks: 0,
    // Names are the guest's.
    metrics: Object.create(null),
  };
}
