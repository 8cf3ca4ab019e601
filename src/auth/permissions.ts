import { utf8 } from '../base/bytes.js';
import { filterCovers } from '../subject/subject.js';
import { SubjectTrie, type TrieValue } from '../subject/trie.js';

/** Allowed and denied filters; no `allow` at all is everything, an empty `allow` is nothing. */
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
  private readonly trie = new SubjectTrie<Rule>();
  private readonly found: Rule[] = [];
  readonly rules: readonly Rule[];

  constructor(filters: readonly string[]) {
    this.rules = filters.map((filter) => new Rule(filter));
    for (const rule of this.rules) this.trie.insert(utf8(rule.subject), rule);
  }

  /** Whether a rule without a queue matches the literal subject. */
  matches(bytes: Uint8Array, start: number, end: number): boolean {
    this.found.length = 0;
    this.trie.match(bytes, start, end, this.found);
    for (const rule of this.found) if (rule.queue === null) return true;
    return false;
  }
}

/** What a user may do. Deny wins over allow; answers come from rules alone and never change. */
export class Permissions {
  readonly responses: ResponseRules | null;
  private readonly publishAllow: RuleSet | null;
  private readonly publishDeny: RuleSet;
  private readonly subscribeAllow: RuleSet | null;
  private readonly subscribeDeny: RuleSet;

  constructor(rules: PermissionRules) {
    const publishAllow = rules.publish?.allow ?? (rules.responses && !rules.publish ? [] : undefined);
    this.responses = rules.responses ?? null;
    this.publishAllow = publishAllow === undefined ? null : new RuleSet(publishAllow);
    this.publishDeny = new RuleSet(rules.publish?.deny ?? []);
    this.subscribeAllow = rules.subscribe?.allow === undefined ? null : new RuleSet(rules.subscribe.allow);
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
    if (this.subscribeAllow !== null && !this.subscribeAllow.rules.some((rule) => ruleCovers(rule, filter, queue))) {
      return 'denied';
    }
    return this.subscribeDeny.rules.some((rule) => ruleCovers(rule, filter, queue)) ? 'denied' : 'allowed';
  }

  /** Whether `deliveryDenied` can ever be true. */
  get hasDeliveryFilter(): boolean {
    return this.subscribeDeny.rules.some((rule) => rule.queue === null);
  }

  /** Whether a message on the literal subject must not be delivered, though a subscription matches it. */
  deliveryDenied(bytes: Uint8Array, start: number, end: number): boolean {
    return this.subscribeDeny.matches(bytes, start, end);
  }
}

/** A rule without a queue speaks of every subscription; one with a queue only of queue subscriptions whose queue it matches. */
function ruleCovers(rule: Rule, filter: string, queue: string | null): boolean {
  if (!filterCovers(rule.subject, filter)) return false;
  if (rule.queue === null) return true;
  return queue !== null && filterCovers(rule.queue, queue);
}
