import { DOT, GREATER, STAR, TOKENS_MAX } from './subject.js';

/** What a trie holds: the trie keeps each value's place in its leaf, so that removal costs no search. */
export interface TrieValue {
  trieSlot: number;
}

/**
 * A node stands for one token below its parent. All nodes hang in one hash table, keyed by parent and token, so that a
 * match walks bytes and makes no strings:
 *
 * ```text
 * table[hash(parent.id, token)] -> node -> node (same bucket) -> null
 *   node.star     the child for `*`         node.values   filters that end here
 *   node.greater  filters that end in `>` below this node
 * ```
 */
class TrieNode<T extends TrieValue> {
  readonly id: number;
  readonly parent: TrieNode<T> | null;
  readonly token: Uint8Array;
  readonly hash: number;
  next: TrieNode<T> | null = null;
  star: TrieNode<T> | null = null;
  greater: T[] | null = null;
  values: T[] | null = null;
  /** Literal children, those in the table. */
  children = 0;

  constructor(id: number, parent: TrieNode<T> | null, token: Uint8Array, hash: number) {
    this.id = id;
    this.parent = parent;
    this.token = token;
    this.hash = hash;
  }
}

const EMPTY = new Uint8Array(0);
/** Token offsets and hashes of the subject at hand. One set for all tries: a match never calls out. */
const tokenStarts = new Int32Array(TOKENS_MAX);
const tokenEnds = new Int32Array(TOKENS_MAX);
const tokenHashes = new Int32Array(TOKENS_MAX);

/** Splits `bytes[start, end)` at the dots; returns the number of tokens, or -1 when there are too many. */
function tokenize(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  let tokenStart = start;
  let hash = 17;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte !== DOT) {
      hash = Math.imul(hash ^ byte, 0x01000193);
      continue;
    }
    if (count >= TOKENS_MAX - 1) return -1;
    tokenStarts[count] = tokenStart;
    tokenEnds[count] = i;
    tokenHashes[count++] = hash;
    tokenStart = i + 1;
    hash = 17;
  }
  tokenStarts[count] = tokenStart;
  tokenEnds[count] = end;
  tokenHashes[count++] = hash;
  return count;
}

function sameBytes(token: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (token.length !== end - start) return false;
  for (let i = 0; i < token.length; i++) if (token[i] !== bytes[start + i]) return false;
  return true;
}

/** Filters to values; finds every value whose filter matches a literal subject. Filters must be valid (`isFilter`). */
export class SubjectTrie<T extends TrieValue> {
  private root = new TrieNode<T>(0, null, EMPTY, 0);
  private table: (TrieNode<T> | null)[] = new Array(64).fill(null);
  private nodes = 0;
  private nextId = 1;
  private bytes: Uint8Array = EMPTY;
  private tokens = 0;
  private found: T[] = [];
  size = 0;
  /** Whether the last token of the subject that was matched last was looked for among literal ones: with another, other values might match. */
  endsLiterally = false;

  /** Adds a value under a filter. */
  insert(filter: Uint8Array, value: T): void {
    const node = this.descend(filter, true)!;
    const list = endsInGreater(filter) ? (node.greater ??= []) : (node.values ??= []);
    value.trieSlot = list.length;
    list.push(value);
    this.size++;
  }

  /** Removes a value from under its filter; whether it was there. */
  remove(filter: Uint8Array, value: T): boolean {
    const node = this.descend(filter, false);
    const list = node && (endsInGreater(filter) ? node.greater : node.values);
    if (!node || !list || list[value.trieSlot] !== value) return false;
    const last = list.pop()!;
    if (last !== value) {
      list[value.trieSlot] = last;
      last.trieSlot = value.trieSlot;
    }
    if (list.length === 0) {
      if (list === node.greater) node.greater = null;
      else node.values = null;
      this.prune(node);
    }
    this.size--;
    return true;
  }

  /** Appends to `found` every value whose filter matches the literal subject `bytes[start, end)`. */
  match(bytes: Uint8Array, start: number, end: number, found: T[]): void {
    this.endsLiterally = true;
    const tokens = tokenize(bytes, start, end);
    if (tokens < 0) return;
    for (let i = 0; i < tokens; i++) if (tokenStarts[i] === tokenEnds[i]) return;
    this.bytes = bytes;
    this.tokens = tokens;
    this.found = found;
    this.endsLiterally = false;
    this.walk(this.root, 0);
  }

  /** Calls `visit` with every value, in no order. */
  forEach(visit: (value: T) => void): void {
    const visitNode = (node: TrieNode<T> | null): void => {
      if (!node) return;
      node.values?.forEach(visit);
      node.greater?.forEach(visit);
      visitNode(node.star);
    };
    visitNode(this.root);
    for (const bucket of this.table) for (let node = bucket; node; node = node.next) visitNode(node);
  }

  private walk(node: TrieNode<T>, depth: number): void {
    if (node.greater !== null && depth < this.tokens) this.collect(node.greater);
    if (depth === this.tokens) {
      if (node.values !== null) this.collect(node.values);
      return;
    }
    if (node.star !== null) this.walk(node.star, depth + 1);
    if (node.children > 0) {
      if (depth === this.tokens - 1) this.endsLiterally = true;
      const child = this.child(node, this.bytes, tokenStarts[depth], tokenEnds[depth], tokenHashes[depth]);
      if (child !== null) this.walk(child, depth + 1);
    }
  }

  private collect(values: T[]): void {
    for (let i = 0; i < values.length; i++) this.found.push(values[i]);
  }

  private child(parent: TrieNode<T>, bytes: Uint8Array, start: number, end: number, hash: number): TrieNode<T> | null {
    let node = this.table[this.bucket(parent.id, hash)];
    while (node !== null) {
      if (node.hash === hash && node.parent === parent && sameBytes(node.token, bytes, start, end)) return node;
      node = node.next;
    }
    return null;
  }

  private bucket(parentId: number, hash: number): number {
    const mixed = Math.imul(hash ^ Math.imul(parentId, 0x9e3779b1), 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & (this.table.length - 1);
  }

  /** The node in front of a last `>`, or the node of the last token; made on the way when `make`. */
  private descend(filter: Uint8Array, make: boolean): TrieNode<T> | null {
    const tokens = tokenize(filter, 0, filter.length);
    let node = this.root;
    for (let i = 0; i < tokens; i++) {
      const start = tokenStarts[i];
      const end = tokenEnds[i];
      const only = end - start === 1 ? filter[start] : 0;
      if (only === GREATER && i === tokens - 1) break;
      let below = only === STAR ? node.star : this.child(node, filter, start, end, tokenHashes[i]);
      if (below === null) {
        if (!make) return null;
        below = this.add(node, filter.slice(start, end), tokenHashes[i], only === STAR);
      }
      node = below;
    }
    return node;
  }

  private add(parent: TrieNode<T>, token: Uint8Array, hash: number, star: boolean): TrieNode<T> {
    const node = new TrieNode<T>(this.nextId++, parent, token, hash);
    if (star) {
      parent.star = node;
      return node;
    }
    if (++this.nodes > this.table.length) this.grow();
    parent.children++;
    this.hang(node);
    return node;
  }

  private hang(node: TrieNode<T>): void {
    const at = this.bucket(node.parent!.id, node.hash);
    node.next = this.table[at];
    this.table[at] = node;
  }

  private grow(): void {
    const old = this.table;
    this.table = new Array(old.length * 2).fill(null);
    for (let node of old) {
      while (node !== null) {
        const next: TrieNode<T> | null = node.next;
        this.hang(node);
        node = next;
      }
    }
  }

  /** Takes out nodes that hold nothing any more, from the leaf up. */
  private prune(leaf: TrieNode<T>): void {
    let node: TrieNode<T> | null = leaf;
    while (node?.parent && !node.values && !node.greater && !node.star && node.children === 0) {
      const parent: TrieNode<T> = node.parent;
      if (parent.star === node) parent.star = null;
      else {
        this.unhang(node);
        parent.children--;
        this.nodes--;
      }
      node = parent;
    }
  }

  private unhang(node: TrieNode<T>): void {
    const at = this.bucket(node.parent!.id, node.hash);
    let link = this.table[at];
    if (link === node) {
      this.table[at] = node.next;
      return;
    }
    while (link !== null && link.next !== node) link = link.next;
    if (link !== null) link.next = node.next;
  }
}

function endsInGreater(filter: Uint8Array): boolean {
  const last = filter.length - 1;
  return filter[last] === GREATER && (last === 0 || filter[last - 1] === DOT);
}
