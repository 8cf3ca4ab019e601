import { utf8 } from '../base/bytes.js';
import { filterCovers, filterMatches } from '../subject/subject.js';
import { SubjectTrie, type TrieValue } from '../subject/trie.js';
import { DeliveryFilter } from './delivery-filter.js';

/** Allowed and denied filters; without `allow`, or with an empty one, everything is allowed, as in nats-server. */
export interface SubjectRules {
  allow?: readonly string[];
  deny?: readonly string[];
}

/** How many answers one request allows and for how long; negative is no limit. */
export interface ResponseRules {
  max: number;
  expiresMs: number;
}

/** What one user may do, as the configuration says it. A subscribe rule is `subject` or `subject queue`. */
export interface PermissionRules {
  publish?: SubjectRules;
  subscribe?: SubjectRules;
  responses?: ResponseRules;
}

/** One filter of a rule. */
class Rule implements TrieValue {
  trieSlot = 0;
  readonly subject: string;
  readonly queue: string | null;

  constructor(text: string) {
    const [subject, queue] = text.trim().split(/\s+/, 2);
    this.subject = subject;
    this.queue = queue ?? null;
  }
}

/** Rules that are asked with subject bytes: matching makes no strings. */
class RuleSet {
  readonly rules: readonly Rule[];
  /** Made when it is first asked. */
  private trie: SubjectTrie<Rule> | null = null;
  private readonly found: Rule[] = [];

  constructor(filters: readonly string[]) {
    this.rules = filters.map((filter) => new Rule(filter));
  }

  /** Whether a rule matches the literal subject: one without a queue, or one for this queue. */
  matches(bytes: Uint8Array, start: number, end: number, queue: string | null = null): boolean {
    this.found.length = 0;
    this.trie ??= this.makeTrie();
    this.trie.match(bytes, start, end, this.found);
    for (const rule of this.found)
      if (rule.queue === null || (queue !== null && filterCovers(rule.queue, queue))) return true;
    return false;
  }

  private makeTrie(): SubjectTrie<Rule> {
    const trie = new SubjectTrie<Rule>();
    for (const rule of this.rules) trie.insert(utf8(rule.subject), rule);
    return trie;
  }
}

/** What a user may do. Deny wins over allow; answers come from rules alone and never change. */
export class Permissions {
  /** What they were made of. */
  readonly rules: PermissionRules;
  readonly responses: ResponseRules | null;
  private readonly publishAllow: RuleSet | null;
  private readonly publishDeny: RuleSet;
  private readonly subscribeAllow: RuleSet | null;
  private readonly subscribeDeny: RuleSet;
  private filter: DeliveryFilter | null = null;

  constructor(rules: PermissionRules) {
    this.rules = rules;
    this.responses = rules.responses ?? null;
    const publishAllow = rules.publish?.allow ?? [];
    // Who may answer requests and has no list may publish answers only.
    this.publishAllow = publishAllow.length > 0 || rules.responses ? new RuleSet(publishAllow) : null;
    this.publishDeny = new RuleSet(rules.publish?.deny ?? []);
    this.subscribeAllow = rules.subscribe?.allow?.length ? new RuleSet(rules.subscribe.allow) : null;
    this.subscribeDeny = new RuleSet(rules.subscribe?.deny ?? []);
  }

  /** Whether the literal subject `bytes[start, end)` may be published to. */
  publishAllowed(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.publishAllow !== null && !this.publishAllow.matches(bytes, start, end)) return false;
    return !this.publishDeny.matches(bytes, start, end);
  }

  /**
   * Whether a filter may be subscribed to. A filter wider than what is denied is allowed: denied messages are left out on
   * delivery.
   */
  subscribeAllowed(filter: string, queue: string | null): 'allowed' | 'denied' {
    if (this.subscribeAllow !== null && !this.isListed(filter, queue)) return 'denied';
    const denied = this.subscribeDeny.rules.some((rule) => {
      // A `>` that is asked for is any token here, as in nats-server: `a.*` denies `a.>`.
      if (!filterMatches(rule.subject, filter)) return false;
      return rule.queue === null || (queue !== null && filterCovers(rule.queue, queue));
    });
    return denied ? 'denied' : 'allowed';
  }

  /**
   * Whether the allowed filters cover this one. nats-server would let `a.*` allow `a.>` and with it `a.b.c`: here what is allowed covers
   * all that is asked for. For a queue subscription rules with a queue, where any covers the filter, decide alone.
   */
  private isListed(filter: string, queue: string | null): boolean {
    if (EMPTY_TOKEN.test(filter)) return false;
    const rules = this.subscribeAllow!.rules.filter((rule) => filterCovers(rule.subject, filter));
    const forQueues = queue === null ? [] : rules.filter((rule) => rule.queue !== null);
    if (forQueues.length === 0) return rules.some((rule) => rule.queue === null);
    return forQueues.some((rule) => filterCovers(rule.queue!, queue!));
  }

  /** Null when `deliveryDenied` can never be true. */
  get deliveryFilter(): DeliveryFilter | null {
    if (this.filter === null && this.subscribeDeny.rules.length > 0) this.filter = new DeliveryFilter(this);
    return this.filter;
  }

  /** Whether a message on the literal subject must not be delivered to a subscription that matches it, of this queue group if of any. */
  deliveryDenied(bytes: Uint8Array, start: number, end: number, queue: string | null): boolean {
    return this.subscribeDeny.matches(bytes, start, end, queue);
  }
}

const EMPTY_TOKEN = /^\.|\.\.|\.$/;
