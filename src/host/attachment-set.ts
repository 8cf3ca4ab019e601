import { textOf } from '../base/bytes.js';
import { filterCovers } from '../subject/subject.js';
import type { Attachment } from './attachment.js';
import type { Chain } from './chain.js';
import { PHASES } from './declarations.js';

/** All attachments, and the chains they make for literal subjects. */
export class AttachmentSet {
  private readonly attachments = new Map<string, Attachment>();
  private readonly listeners: (() => void)[] = [];
  private readonly makeChain: (attachments: readonly Attachment[]) => Chain;
  /** The kill switch: while false, no subject has a chain. */
  private enabled = true;

  constructor(makeChain: (attachments: readonly Attachment[]) => Chain) {
    this.makeChain = makeChain;
  }

  get size(): number {
    return this.attachments.size;
  }

  get(name: string): Attachment | undefined {
    return this.attachments.get(name);
  }

  /** In the order in which they run. */
  all(): Attachment[] {
    return [...this.attachments.values()].sort(byOrder);
  }

  put(attachment: Attachment): void {
    this.attachments.set(attachment.name, attachment);
    this.changed();
  }

  delete(name: string): boolean {
    const deleted = this.attachments.delete(name);
    if (deleted) this.changed();
    return deleted;
  }

  setEnabled(enabled: boolean): void {
    if (this.enabled === enabled) return;
    this.enabled = enabled;
    this.changed();
  }

  /** Called whenever chains may have changed. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** The chain of a literal subject, or null when nothing is attached to it. The house's own subjects have none. */
  chainFor(bytes: Uint8Array, start: number, end: number): Chain | null {
    if (!this.enabled || this.attachments.size === 0) return null;
    const subject = textOf(bytes, start, end);
    if (subject.startsWith('$WEIR.') || subject.startsWith('$SYS.')) return null;
    const matching = this.all().filter((attachment) => filterCovers(attachment.declaration.subject, subject));
    return matching.length === 0 ? null : this.makeChain(matching);
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}

function byOrder(one: Attachment, other: Attachment): number {
  const phase = PHASES.indexOf(one.phase) - PHASES.indexOf(other.phase);
  return phase || one.order - other.order || (one.name < other.name ? -1 : 1);
}
