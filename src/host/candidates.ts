import { Failure } from '../base/failure.js';
import type { Attachment } from './attachment.js';
import type { AttachmentSet } from './attachment-set.js';
import type { Deployments } from './deployments.js';
import type { PluginEvents } from './events.js';
import { type Difference, Shadow } from './shadow.js';

/** What is tried out, and on what. */
export interface TrialRequest {
  version?: number;
  config?: unknown;
  /** Of the subjects that go to the candidate of a canary, by their hash: 0.1 is a tenth. */
  share?: number;
}

export interface TrialSnapshot {
  kind: 'canary' | 'shadow';
  version: number;
  /** Null for a shadow: it sees everything. */
  share: number | null;
  calls: number;
  faults: number;
  same: number;
  different: number;
  samples: Difference[];
}

/**
 * Versions that are tried out before they take over: a canary judges the messages of some subjects, a shadow sees all messages and changes nothing. A
 * trial ends with the attachment's definition, with a restart, and when its candidate fails again and again.
 */
export class Candidates {
  private readonly deployments: Deployments;
  private readonly attachments: AttachmentSet;
  private readonly events: PluginEvents;

  constructor(parts: { deployments: Deployments; attachments: AttachmentSet; events: PluginEvents }) {
    this.deployments = parts.deployments;
    this.attachments = parts.attachments;
    this.events = parts.events;
  }

  async canary(name: string, request: TrialRequest): Promise<Attachment> {
    const share = request.share ?? 0.1;
    const active = this.free(name);
    const candidate = await this.deployments.candidate(name, request);
    this.check(active, candidate);
    active.canary = { attachment: candidate, share };
    candidate.failures = active.failures;
    this.begin('canary', active, candidate);
    return active;
  }

  async shadow(name: string, request: TrialRequest): Promise<Attachment> {
    const active = this.free(name);
    const candidate = await this.deployments.candidate(name, request);
    this.check(active, candidate);
    active.shadow = new Shadow(candidate);
    this.begin('shadow', active, candidate);
    return active;
  }

  /** Ends a trial: nothing of it stays. */
  stop(name: string): TrialSnapshot {
    const active = this.deployments.find(name);
    const found = trialOf(active);
    if (found === null)
      throw new Failure('trial-not-found', `attachment ${JSON.stringify(name)} has no canary and no shadow`);
    this.end(active);
    return found;
  }

  private free(name: string): Attachment {
    const active = this.deployments.find(name);
    if (trialOf(active) === null) return active;
    throw new Failure(
      'trial-exists',
      `attachment ${JSON.stringify(name)} has a canary or a shadow already; stop it first`,
    );
  }

  private check(active: Attachment, candidate: Attachment): void {
    if (this.attachments.get(active.name) === active && trialOf(active) === null) return;
    candidate.retire();
    throw new Failure(
      'attachment-changed',
      `attachment ${JSON.stringify(active.name)} was changed by another request meanwhile`,
    );
  }

  private begin(kind: 'canary' | 'shadow', active: Attachment, candidate: Attachment): void {
    candidate.breaker.onChange = (quarantined) => {
      // Not now: the chain that runs still reads what the instance wrote.
      if (quarantined) queueMicrotask(() => this.giveUp(kind, active, candidate));
    };
    this.attachments.refresh();
    this.events.tell(kind, active, { state: 'begun', candidate: candidate.version.number });
  }

  private giveUp(kind: 'canary' | 'shadow', active: Attachment, candidate: Attachment): void {
    if (active.canary?.attachment !== candidate && active.shadow?.candidate !== candidate) return;
    this.end(active);
    const { cause, text } = candidate.fault;
    this.events.tell(kind, active, { state: 'failed', candidate: candidate.version.number, cause, text });
  }

  private end(active: Attachment): void {
    active.endTrial();
    this.attachments.refresh();
  }
}

/** What is tried out beside an attachment, or null. */
export function trialOf({ canary, shadow }: Attachment): TrialSnapshot | null {
  const candidate = canary?.attachment ?? shadow?.candidate;
  if (candidate === undefined) return null;
  const { calls, faults } = candidate.counters;
  return {
    kind: canary !== null ? 'canary' : 'shadow',
    version: candidate.version.number,
    share: canary?.share ?? null,
    calls,
    faults: Object.values(faults).reduce((sum, count) => sum + count, 0),
    same: shadow?.same ?? 0,
    different: shadow?.different ?? 0,
    samples: shadow?.samples ?? [],
  };
}
