import { utf8 } from '../base/bytes.js';
import { hasWildcard } from '../subject/subject.js';
import { SubjectTransform } from '../subject/transform.js';
import { SubjectTrie, type TrieValue } from '../subject/trie.js';
import type { MappingSettings } from './account-settings.js';

interface Destination {
  transform: SubjectTransform;
  /** Chances up to here, in percent, are its. */
  upTo: number;
}

/** Where messages of one source go. */
export class Mapping implements TrieValue {
  trieSlot = 0;
  /** Where it stands among the mappings: the first that matches counts. */
  readonly order: number;
  private readonly destinations: Destination[];
  private readonly random: () => number;

  constructor({ source, destinations }: MappingSettings, order: number, random: () => number) {
    this.order = hasWildcard(source) ? order : -1;
    this.random = random;
    const here = destinations.filter(({ cluster }) => cluster === '');
    const weighed = here.map(({ subject, weight }) => ({ subject, weight }));
    const total = weighed.reduce((sum, { weight }) => sum + weight, 0);
    // What is left goes where it would go anyway, unless the source is listed: then it is to be lost.
    if (total < 100 && !weighed.some(({ subject }) => subject === source))
      weighed.push({ subject: source, weight: 100 - total });
    let upTo = 0;
    this.destinations = weighed
      .filter(({ weight }) => weight > 0)
      .sort((one, other) => one.weight - other.weight)
      .map(({ subject, weight }) => {
        upTo += weight;
        return { transform: new SubjectTransform(source, subject, random), upTo };
      });
  }

  /** Where a message to this subject goes now; null is nowhere. */
  pick(subject: string): string | null {
    const { destinations } = this;
    if (destinations.length === 1 && destinations[0].upTo === 100) return destinations[0].transform.apply(subject);
    const chance = Math.floor(this.random() * 100);
    const destination = destinations.find(({ upTo }) => chance < upTo);
    return destination?.transform.apply(subject) ?? null;
  }
}

/** All mappings of an account. */
export class Mappings {
  private readonly trie = new SubjectTrie<Mapping>();
  private readonly found: Mapping[] = [];

  constructor(settings: readonly MappingSettings[], random: () => number) {
    for (const [order, one] of settings.entries()) this.trie.insert(utf8(one.source), new Mapping(one, order, random));
  }

  /** The mapping for the literal subject `bytes[start, end)`, or null. */
  find(bytes: Uint8Array, start: number, end: number): Mapping | null {
    this.found.length = 0;
    this.trie.match(bytes, start, end, this.found);
    let first: Mapping | null = null;
    for (const mapping of this.found) if (first === null || mapping.order < first.order) first = mapping;
    return first;
  }
}
