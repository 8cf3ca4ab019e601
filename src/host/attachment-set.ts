import { hasAnyPrefix, utf8 } from '../base/bytes.js';
import { hashSubject } from '../message/message.js';
import { SubjectTrie, type TrieValue } from '../subject/trie.js';
import type { Attachment } from './attachment.js';
import type { Chain } from './chain.js';
import { PHASES, type Stage } from './declarations.js';
import { DeliveryChain, isSelected, type Receiver } from './delivery-chain.js';

/** An attachment in the order of all; what the index holds. */
interface Ranked extends TrieValue {
  readonly attachment: Attachment;
  readonly rank: number;
}

/** All attachments, and the chains they make for literal subjects. */
export class AttachmentSet {
  private readonly attachments = new Map<string, Attachment>();
  private readonly listeners: (() => void)[] = [];
  private readonly makeChain: (attachments: readonly Attachment[]) => Chain;
  /** Made when it is first needed after a change, as are the chains: subjects with the same attachments share one. */
  private index: SubjectTrie<Ranked> | null = null;
  private readonly chains = new Map<string, Chain>();
  private deliveryIndex: SubjectTrie<Ranked> | null = null;
  private readonly deliveryChains = new Map<string, DeliveryChain>();
  /** Whether any attachment is of the stage `deliver`. */
  anyDelivery = false;
  private anyCanary = false;
  private isChanging = false;
  private readonly found: Ranked[] = [];
  /** The kill switch: while false, no subject has a chain. */
  enabled = true;

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

  some(condition: (attachment: Attachment) => boolean): boolean {
    for (const attachment of this.attachments.values()) if (condition(attachment)) return true;
    return false;
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

  /** To be called when attachments changed otherwise than by `put` and `delete`. */
  refresh(): void {
    this.changed();
  }

  /** Makes several changes; chains are forgotten once, when all are made. */
  together(change: () => void): void {
    this.isChanging = true;
    try {
      change();
    } finally {
      this.isChanging = false;
      this.changed();
    }
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
    if (hasAnyPrefix(bytes, start, end, OWN)) return null;
    this.index ??= this.makeIndex('publish');
    const { found } = this;
    found.length = 0;
    this.index.match(bytes, start, end, found);
    if (found.length === 0) return null;
    if (found.length > 1) found.sort((one, other) => one.rank - other.rank);
    return this.anyCanary ? this.chainWithCanaries(found, hashSubject(bytes, start, end)) : this.chainOf(found);
  }

  /** As `chainOf`, with the candidate in the place of each attachment whose canary the subject belongs to. */
  private chainWithCanaries(found: readonly Ranked[], hash: number): Chain {
    const { attachments, key } = this.choose(found, hash);
    const known = this.chains.get(key);
    if (known !== undefined) return known;
    const chain = this.makeChain(attachments);
    if (this.chains.size < CHAINS_MAX) this.chains.set(key, chain);
    return chain;
  }

  private choose(found: readonly Ranked[], hash: number): { attachments: Attachment[]; key: string } {
    const part = (hash >>> 0) / 2 ** 32;
    const isCandidate = ({ attachment: { canary } }: Ranked) => canary !== null && part < canary.share;
    return {
      attachments: found.map((each) => (isCandidate(each) ? each.attachment.canary!.attachment : each.attachment)),
      key: found.map((each) => (isCandidate(each) ? `${each.rank}c` : each.rank)).join(),
    };
  }

  /** The chain that a receiver's messages of a literal subject go through, or null. Those who share it share its outcome. */
  deliveryChainFor(
    bytes: Uint8Array,
    [start, end]: readonly [number, number],
    receiver: Receiver,
  ): DeliveryChain | null {
    if (!this.anyDelivery || hasAnyPrefix(bytes, start, end, OWN)) return null;
    this.deliveryIndex ??= this.makeIndex('deliver');
    const { found } = this;
    found.length = 0;
    this.deliveryIndex.match(bytes, start, end, found);
    const selected = found.filter(({ attachment }) => isSelected(attachment.declaration.receivers ?? {}, receiver));
    if (selected.length === 0) return null;
    selected.sort((one, other) => one.rank - other.rank);
    const { attachments, key } = this.choose(selected, hashSubject(bytes, start, end));
    const known = this.deliveryChains.get(key);
    if (known !== undefined) return known;
    const chain = new DeliveryChain(this.makeChain(attachments));
    if (this.deliveryChains.size < CHAINS_MAX) this.deliveryChains.set(key, chain);
    return chain;
  }

  private chainOf(found: readonly Ranked[]): Chain {
    const key = found.length === 1 ? String(found[0].rank) : found.map(({ rank }) => rank).join();
    const known = this.chains.get(key);
    if (known !== undefined) return known;
    const chain = this.makeChain(found.map(({ attachment }) => attachment));
    if (this.chains.size < CHAINS_MAX) this.chains.set(key, chain);
    return chain;
  }

  private makeIndex(stage: Stage): SubjectTrie<Ranked> {
    const index = new SubjectTrie<Ranked>();
    const ordered = this.all();
    for (let rank = 0; rank < ordered.length; rank++) {
      const attachment = ordered[rank];
      if (attachment.stage !== stage) continue;
      index.insert(utf8(attachment.declaration.subject), { attachment, rank, trieSlot: 0 });
    }
    return index;
  }

  private changed(): void {
    if (this.isChanging) return;
    this.index = null;
    this.chains.clear();
    this.deliveryIndex = null;
    this.deliveryChains.clear();
    this.anyCanary = this.some(({ canary }) => canary !== null);
    this.anyDelivery = this.enabled && this.some(({ stage }) => stage === 'deliver');
    for (const listener of this.listeners) listener();
  }
}

/** Different sets of attachments that subjects may have and whose chains are remembered. */
const CHAINS_MAX = 4096;
const OWN = [utf8('$WEIR.'), utf8('$SYS.')];

function byOrder(one: Attachment, other: Attachment): number {
  const phase = PHASES.indexOf(one.phase) - PHASES.indexOf(other.phase);
  return phase || one.order - other.order || (one.name < other.name ? -1 : 1);
}
