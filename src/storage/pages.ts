/** An array in pages, so that growing copies nothing. It can be frozen: whoever writes to a frozen page gets a copy of it. */
export class Pages<T extends Int32Array | Uint8Array> {
  readonly list: T[];
  private readonly frozen: boolean[] = [];

  constructor(list: T[]) {
    this.list = list;
    for (let i = 0; i < list.length; i++) this.frozen.push(false);
  }

  push(page: T): void {
    this.list.push(page);
    this.frozen.push(false);
  }

  /** A page that may be written to. */
  writable(index: number): T {
    if (!this.frozen[index]) return this.list[index];
    this.frozen[index] = false;
    return (this.list[index] = this.list[index].slice() as T);
  }

  /** Puts a larger page in place of one. */
  grow(index: number, larger: T): void {
    larger.set(this.list[index]);
    this.list[index] = larger;
    this.frozen[index] = false;
  }

  /** The pages as they are now: they stay so. */
  freeze(): T[] {
    this.frozen.fill(true);
    return [...this.list];
  }
}
