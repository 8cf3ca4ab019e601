import type { Segment } from './segment.js';

/** All of a log's take no more than this, four bytes a message, but for that of the segment that is appended to. */
const BYTES_MAX = 64 * 1024 * 1024;

/** The catalogues of closed segments that are in memory, oldest first: what goes beyond the limit is forgotten, and made again when it is needed. */
export class Catalogues {
  private segments: Segment[] = [];
  private bytes = 0;

  /** A closed segment has a catalogue now. */
  keep(segment: Segment): void {
    if (segment.catalogue === null) return;
    segment.catalogue = segment.catalogue.slice(0, segment.last - segment.base + 1);
    this.segments.push(segment);
    this.bytes += segment.catalogue.byteLength;
    while (this.bytes > BYTES_MAX && this.segments.length > 1) this.forget(this.segments[0]);
  }

  forget(segment: Segment): void {
    const index = this.segments.indexOf(segment);
    if (index < 0) return;
    this.segments.splice(index, 1);
    this.bytes -= segment.catalogue?.byteLength ?? 0;
    segment.catalogue = null;
  }

  clear(): void {
    this.segments = [];
    this.bytes = 0;
  }
}
