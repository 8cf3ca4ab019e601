/** Places of things that were taken are given back when there are so many. */
const TAKEN_MAX = 1024;

/** First in, first out: taking does not move what is behind. */
export class Fifo<T> {
  /** Places before `taken` are empty: what was in them may be large, and is not kept for the place's sake. */
  private items: T[] = [];
  private taken = 0;

  get length(): number {
    return this.items.length - this.taken;
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** The one that is next, which stays; undefined when there is none. */
  get first(): T | undefined {
    return this.items[this.taken];
  }

  /** The one behind `index` others. */
  at(index: number): T | undefined {
    return this.items[this.taken + index];
  }

  /** All that are there, in order. */
  list(): readonly T[] {
    return this.taken === 0 ? this.items : this.items.slice(this.taken);
  }

  shift(): T | undefined {
    if (this.taken === this.items.length) return undefined;
    const item = this.items[this.taken];
    this.items[this.taken++] = undefined as T;
    if (this.taken === this.items.length) {
      this.items = [];
      this.taken = 0;
    } else if (this.taken >= TAKEN_MAX) {
      this.items.splice(0, this.taken);
      this.taken = 0;
    }
    return item;
  }

  /** Takes everything out, in order. */
  takeAll(): T[] {
    const all = this.taken === 0 ? this.items : this.items.slice(this.taken);
    this.items = [];
    this.taken = 0;
    return all;
  }
}
