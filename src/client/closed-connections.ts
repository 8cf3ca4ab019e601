import type { ConnectionRecord } from './connection-record.js';

/** The last connections that ended, for `/connz?state=closed`: a ring of bounded size. */
export class ClosedConnections {
  private readonly ring: ConnectionRecord[] = [];
  private readonly max: number;
  private next = 0;

  constructor(max: number) {
    this.max = max;
  }

  add(record: ConnectionRecord): void {
    if (this.max <= 0) return;
    if (this.ring.length < this.max) this.ring.push(record);
    else this.ring[this.next] = record;
    this.next = (this.next + 1) % this.max;
  }

  /** Oldest first. */
  *entries(): Iterable<ConnectionRecord> {
    const start = this.ring.length < this.max ? 0 : this.next;
    for (let i = 0; i < this.ring.length; i++) yield this.ring[(start + i) % this.ring.length];
  }
}
