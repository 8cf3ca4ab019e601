import type { Boxes } from './boxes.js';

/** Memory is compared and kept in blocks of this size. */
const BLOCK_BYTES = 4096;

/** Bytes of a guest's memory that are not as the module's own data left them. */
export interface MemoryChange {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * A guest's state behind its start function, `weir_open` and `weir_init`. A guest computes and nothing else, so whoever copies the image has what
 * running them again would lead to: they run once, in a worker thread, however long they take, and never on the event loop.
 */
export interface Image {
  readonly memoryBytes: number;
  readonly changes: readonly MemoryChange[];
  /** Values of the mutable globals, in the module's order. */
  readonly globals: readonly (number | bigint)[];
  readonly boxes: Boxes;
}

/** What differs between two memories; the first may be longer, the other counts as zero there. */
export function changesOf(memory: Uint8Array, fresh: Uint8Array): MemoryChange[] {
  const changes: MemoryChange[] = [];
  const zero = new Uint8Array(BLOCK_BYTES);
  let start = -1;
  for (let at = 0; at < memory.length; at += BLOCK_BYTES) {
    const before = at < fresh.length ? fresh.subarray(at, at + BLOCK_BYTES) : zero;
    const differs = Buffer.compare(memory.subarray(at, at + BLOCK_BYTES), before) !== 0;
    if (differs && start < 0) start = at;
    if (differs || start < 0) continue;
    changes.push({ at: start, bytes: memory.slice(start, at) });
    start = -1;
  }
  if (start >= 0) changes.push({ at: start, bytes: memory.slice(start) });
  return changes;
}
