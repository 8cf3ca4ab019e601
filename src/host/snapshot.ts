import type { Attachment } from './attachment.js';
import type { AttachmentCounters } from './attachment-counters.js';
import { type TrialSnapshot, trialOf } from './candidates.js';
import type { Histogram } from './histogram.js';
import type { PluginHost } from './plugin-host.js';
import type { PluginVersion } from './registry.js';
import type { Track } from './track.js';

/** A plugin version, for people and programs. */
export interface VersionSnapshot {
  version: number;
  sha256: string;
  bytes: number;
  installed: string;
}

export interface PluginSnapshot {
  name: string;
  versions: VersionSnapshot[];
}

/** Calls by verdict, and what they cost; in the words of JSON. */
interface CountersSnapshot {
  calls: number;
  passed: number;
  dropped: number;
  replaced: number;
  rejected: number;
  faults: AttachmentCounters['faults'];
  fuel: number;
  timed_ns: number;
  timed_calls: number;
  bytes_in: number;
  bytes_out: number;
  emits: number;
  logs: number;
  logs_dropped: number;
  renewals: number;
  ticks: number;
  metrics: AttachmentCounters['metrics'];
}

/** An attachment and what it did so far. */
export interface AttachmentSnapshot {
  name: string;
  plugin: string;
  version: number;
  subject: string;
  stage: string;
  phase: string;
  order: number;
  quarantined: boolean;
  /** Why its plugin cannot run at all; null as a rule. */
  damage: string | null;
  /** Whether the configuration file declares it. */
  declared: boolean;
  swaps: number;
  rollbacks: number;
  memory_bytes: number;
  /** What its plugin saved last; null when it keeps no state, or saved none yet. */
  state_bytes: number | null;
  /** Null for one that works on the event loop. */
  worker: WorkerSnapshot | null;
  counters: CountersSnapshot;
  /** Mean over the calls that were timed; null before the first. */
  ns_per_call: number | null;
  /** Mean over all calls; null before the first. */
  fuel_per_call: number | null;
  last_fault: { cause: string; text: string } | null;
  /** Estimated from the calls that were timed. */
  cpu_seconds: number;
  /** Of the calls that were timed; upper bounds, in powers of two. */
  latency_ns: Quantiles;
  fuel: Quantiles;
  /** Messages that can be delivered again, and those that were given up for later ones. */
  dead_letters: number;
  dead_letters_lost: number;
  /** What the plugin looks up; null without a table. */
  table: TableSnapshot | null;
  /** What is tried out beside it. */
  trial: TrialSnapshot | null;
}

export interface TableSnapshot {
  entries: number;
  bytes: number;
  refused: number;
  last_refusal: { key: string; text: string } | null;
  bucket: string | null;
  /** Whether the bucket is there. */
  following: boolean;
}

/** Of an attachment in the worker tier. */
export interface WorkerSnapshot {
  metering: 'on' | 'off';
  /** Messages that wait for its answer. */
  waiting: number;
  /** Worker threads that had to be replaced because of it. */
  stuck: number;
}

/** What the timed calls of an attachment cost, one by one. */
export interface AttachmentHistograms {
  name: string;
  plugin: string;
  version: number;
  latency_ns: HistogramSnapshot;
  fuel: HistogramSnapshot;
}

export interface HistogramSnapshot {
  /** Upper bounds, ascending, the bound itself included; and how many of all values were below each. */
  bounds: number[];
  counts: number[];
  count: number;
  sum: number;
}

export interface Quantiles {
  p50: number | null;
  p99: number | null;
  max: number | null;
}

export function snapshotOfVersion({ number, sha256, bytes, installedMs }: PluginVersion): VersionSnapshot {
  return { version: number, sha256, bytes, installed: new Date(installedMs).toISOString() };
}

export function snapshotOfPlugin(host: PluginHost, name: string): PluginSnapshot {
  return { name, versions: host.registry.versions(name).map(snapshotOfVersion) };
}

export function snapshotsOfAttachments(host: PluginHost): AttachmentSnapshot[] {
  return host.attachments.all().map((one) => snapshotOfAttachment(one, host.deployments.trackOf(one.name)));
}

export function snapshotOfAttachment(attachment: Attachment, track: Track): AttachmentSnapshot {
  const { counters, declaration, version, breaker, fault } = attachment;
  const { calls, timedCalls, timedNs, fuel } = counters;
  const faulted = Object.keys(counters.faults).length > 0;
  return {
    name: attachment.name,
    plugin: declaration.plugin,
    version: version.number,
    subject: declaration.subject,
    stage: attachment.stage,
    phase: attachment.phase,
    order: attachment.order,
    quarantined: breaker.quarantined,
    damage: attachment.damage,
    declared: track.declared,
    swaps: track.swaps,
    rollbacks: track.rollbacks,
    memory_bytes: attachment.instance?.memoryBytes ?? attachment.seat?.memoryBytes ?? 0,
    state_bytes: attachment.savedState?.length ?? null,
    worker: workerOf(attachment),
    counters: snapshotOfCounters(counters),
    ns_per_call: timedCalls === 0 ? null : Math.round(timedNs / timedCalls),
    fuel_per_call: calls === 0 ? null : Math.round(fuel / calls),
    last_fault: faulted ? { cause: fault.cause, text: fault.text } : null,
    cpu_seconds: timedCalls === 0 ? 0 : ((timedNs / timedCalls) * calls) / 1e9,
    latency_ns: quantilesOf(attachment.latency),
    fuel: quantilesOf(attachment.fuelPerCall),
    dead_letters: attachment.failures.letterCount,
    dead_letters_lost: attachment.failures.lettersLost,
    table: tableOf(attachment),
    trial: trialOf(attachment),
  };
}

function tableOf({ table, feed, declaration }: Attachment): TableSnapshot | null {
  if (table === null) return null;
  return {
    ...{ entries: table.size, bytes: table.bytes, refused: table.refused, last_refusal: table.lastRefusal },
    ...{ bucket: declaration.table?.bucket ?? null, following: feed?.following ?? false },
  };
}

function workerOf({ seat, declaration }: Attachment): WorkerSnapshot | null {
  if (seat === null) return null;
  return { metering: declaration.metering ?? 'on', waiting: seat.depth, stuck: seat.stuck };
}

function snapshotOfCounters(counters: AttachmentCounters): CountersSnapshot {
  const { timedNs, timedCalls, bytesIn, bytesOut, logsDropped, faults, metrics, ...rest } = counters;
  return {
    ...rest,
    ...{
      timed_ns: timedNs,
      timed_calls: timedCalls,
      bytes_in: bytesIn,
      bytes_out: bytesOut,
      logs_dropped: logsDropped,
    },
    ...{ faults: { ...faults }, metrics: { ...metrics } },
  };
}

/** Bounds that all attachments have in common, in powers of two: each is four times the one before, so that they are few. */
const LATENCY_POWERS = [6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26];
const FUEL_POWERS = [...LATENCY_POWERS, 28];

export function histogramsOfAttachments(host: PluginHost): AttachmentHistograms[] {
  return host.attachments.all().map(({ name, declaration, version, latency, fuelPerCall }) => ({
    ...{ name, plugin: declaration.plugin, version: version.number },
    latency_ns: snapshotOfHistogram(latency, LATENCY_POWERS),
    fuel: snapshotOfHistogram(fuelPerCall, FUEL_POWERS),
  }));
}

function snapshotOfHistogram(histogram: Histogram, powers: readonly number[]): HistogramSnapshot {
  return {
    bounds: powers.map((power) => 2 ** power),
    ...{ counts: histogram.atMost(powers), count: histogram.total, sum: histogram.sum },
  };
}

function quantilesOf(histogram: Histogram): Quantiles {
  return { p50: histogram.quantile(0.5), p99: histogram.quantile(0.99), max: histogram.quantile(1) };
}
