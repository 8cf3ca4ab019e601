import type { AttachmentSnapshot } from '../../host/snapshot.js';
import { steps } from './steps.js';

/** A replay at full speed, with the attachments' counters before and after it. */
export interface Burst {
  count: number;
  ms: number;
  delivered: number;
  before: readonly AttachmentSnapshot[];
  after: readonly AttachmentSnapshot[];
}

/** What one attachment did between two snapshots. */
export interface Work {
  name: string;
  plugin: string;
  calls: number;
  dropped: number;
  changed: number;
  fuel: number;
  /** Mean over the calls that were timed; null when none was. */
  nsPerCall: number | null;
}

function workOf(after: AttachmentSnapshot, before: AttachmentSnapshot | undefined): Work {
  const { counters: now, name, plugin } = after;
  const then = before?.counters;
  const timedCalls = now.timed_calls - (then?.timed_calls ?? 0);
  return {
    name,
    plugin,
    calls: now.calls - (then?.calls ?? 0),
    dropped: now.dropped - (then?.dropped ?? 0),
    changed: now.replaced - (then?.replaced ?? 0),
    fuel: now.fuel - (then?.fuel ?? 0),
    nsPerCall: timedCalls === 0 ? null : (now.timed_ns - (then?.timed_ns ?? 0)) / timedCalls,
  };
}

/** In the order of the chain; attachments that were added by hand come last. */
export function workOfChain({ before, after }: Burst): Work[] {
  const place = (name: string) => {
    const index = steps.findIndex((step) => step.name === name);
    return index < 0 ? steps.length : index;
  };
  return after
    .map((attachment) =>
      workOf(
        attachment,
        before.find(({ name }) => name === attachment.name),
      ),
    )
    .sort((a, b) => place(a.name) - place(b.name));
}

/** Nanoseconds of plugin time per message that entered the chain; null when no call was timed. */
export function nsPerMessage(works: readonly Work[], messages: number): number | null {
  const timed = works.filter((work) => work.nsPerCall !== null);
  if (timed.length === 0 || messages === 0) return null;
  return timed.reduce((sum, { calls, nsPerCall }) => sum + calls * nsPerCall!, 0) / messages;
}

/** Fuel per message that entered the chain. */
export function fuelPerMessage(works: readonly Work[], messages: number): number {
  return messages === 0 ? 0 : works.reduce((sum, { fuel }) => sum + fuel, 0) / messages;
}
