import { filtersOverlap } from './subject.js';

/** Fewer filters than this are compared one by one: that costs less than to take them apart. */
const FEW = 16;

/** A filter that ends at a node, and how many do. */
interface Ending {
  filter: string;
  count: number;
}

/** A node stands for one token below its parent. */
interface Node {
  tokens: Map<string, Node> | null;
  star: Node | null;
  /** Of filters that end here, and of those whose next token is `>`. */
  ending: Ending | null;
  greater: Ending | null;
}

/** A node, and which token of the filter in question comes next. */
interface Step {
  node: Node;
  index: number;
}

/**
 * Filters by their tokens, which says of a further one whether it shares subjects with any of them: of thousands, each is compared with
 * those alone that begin as it does.
 */
export class FilterSet {
  private readonly root = newNode();

  static of(filters: Iterable<string>): FilterSet {
    const set = new FilterSet();
    for (const filter of filters) set.add(filter);
    return set;
  }

  add(filter: string): void {
    let node = this.root;
    for (const token of filter.split('.')) {
      if (token === '>') {
        node.greater = counted(node.greater, filter);
        return;
      }
      node = token === '*' ? (node.star ??= newNode()) : childOf(node, token);
    }
    node.ending = counted(node.ending, filter);
  }

  /** Whether some subject is matched by `filter` and by one of these. */
  overlaps(filter: string): boolean {
    return this.search(filter, (ending) => ending !== null, true);
  }

  /** Whether one of these, other than `filter` itself or added a second time, matches every subject that `filter` matches. */
  covers(filter: string): boolean {
    return this.search(filter, (ending) => ending !== null && (ending.filter !== filter || ending.count > 1), false);
  }

  /** Whether the filter meets one that counts; `both`: a wildcard of its own meets tokens, too. */
  private search(filter: string, counts: (ending: Ending | null) => boolean, both: boolean): boolean {
    const tokens = filter.split('.');
    const steps: Step[] = [{ node: this.root, index: 0 }];
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const { node } = step;
      const index = step.index + 1;
      if (index > tokens.length) {
        if (counts(node.ending)) return true;
        continue;
      }
      if (counts(node.greater)) return true;
      const token = tokens[step.index];
      if (token === '>') {
        if (both && (node.star !== null || node.tokens !== null)) return true;
        continue;
      }
      if (node.star !== null) steps.push({ node: node.star, index });
      if (token !== '*') pushChild(steps, node.tokens?.get(token), index);
      else if (both) for (const child of node.tokens?.values() ?? []) steps.push({ node: child, index });
    }
    return false;
  }
}

/** Whether some subject is matched by one of the filters and by one of the others. */
export function anyOverlap(filters: readonly string[], others: Iterable<string>): boolean {
  const set = filters.length < FEW ? null : FilterSet.of(filters);
  for (const other of others) {
    if (set === null ? filters.some((filter) => filtersOverlap(filter, other)) : set.overlaps(other)) return true;
  }
  return false;
}

/** Whether some subject is matched by two of the filters. */
export function anyTwoOverlap(filters: readonly string[]): boolean {
  const before = new FilterSet();
  for (const filter of filters) {
    if (before.overlaps(filter)) return true;
    before.add(filter);
  }
  return false;
}

function newNode(): Node {
  return { tokens: null, star: null, ending: null, greater: null };
}

function childOf(node: Node, token: string): Node {
  node.tokens ??= new Map();
  let child = node.tokens.get(token);
  if (child === undefined) {
    child = newNode();
    node.tokens.set(token, child);
  }
  return child;
}

function pushChild(steps: Step[], node: Node | undefined, index: number): void {
  if (node !== undefined) steps.push({ node, index });
}

function counted(ending: Ending | null, filter: string): Ending {
  if (ending === null) return { filter, count: 1 };
  ending.count++;
  return ending;
}
