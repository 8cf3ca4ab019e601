import { paddedBytes } from '../base/bytes.js';
import type { Failure } from '../base/failure.js';
import { BaseLog } from './base-log.js';
import type { Block } from './block.js';
import { BlockPacker } from './block-packer.js';
import type { LedgerStore, SizeRule } from './ledger.js';
import { type LogListener, type LogSnapshot, REFUSED } from './message-log.js';
import { recordSequence } from './record.js';
import type { Segment } from './segment.js';

const SEGMENT_BYTES = 1024 * 1024;
/** nats-server counts 16 bytes beside what a message carries; a record has 26, and 4 more with headers. */
const SIZE_RULE: SizeRule = { perMessage: -10, perHeaders: -4 };

/** A log in memory. Everything is committed as soon as it is appended. */
export class MemoryLog extends BaseLog {
  private told = 0;
  private telling = false;

  constructor(listener: LogListener) {
    const store: LedgerStore = {
      newSeed: () => 0,
      load: () => null,
      newBytes: paddedBytes,
      reclaim: () => {},
      onRemoved: () => {},
      onThinned: (segment) => this.onThinned(segment),
    };
    super(listener, store, { sizeRule: SIZE_RULE, segmentBytes: SEGMENT_BYTES });
    this.ledger.segments.push(this.ledger.newSegment(1));
  }

  warm(): null {
    return null;
  }

  async flush(): Promise<Failure | null> {
    return null;
  }

  async snapshot(): Promise<LogSnapshot | null> {
    return null;
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  async delete(): Promise<void> {
    this.closed = true;
    this.ledger.removeAll();
  }

  protected refusal(): number {
    return this.closed ? REFUSED.CLOSED : 0;
  }

  protected nextFlags(): number {
    return 0;
  }

  protected onChange(): void {
    this.committedSequence = this.state.lastSequence;
    if (this.telling || this.told === this.committedSequence) return;
    this.telling = true;
    queueMicrotask(() => {
      this.telling = false;
      this.told = this.committedSequence;
      if (!this.closed) this.listener.onCommit(this.committedSequence);
    });
  }

  protected dropped(): void {}

  protected async overwrite(_segment: Segment, _sequence: number, wipe: () => void): Promise<void> {
    wipe();
  }

  /** Gives memory back: that of a segment without messages, or of the half and more that is gone. */
  private onThinned(segment: Segment): void {
    if (segment.messages === 0) {
      this.ledger.drop(segment);
      return;
    }
    if (segment.liveBytes * 2 >= segment.recordBytes) return;
    const packer = new BlockPacker(segment);
    this.ledger.forEachRecord(segment, (block: Block, at) => {
      const sequence = recordSequence(block.view, at);
      if (segment.has(sequence)) packer.add(block, at);
    });
    segment.replaceBlocks(packer);
  }
}
