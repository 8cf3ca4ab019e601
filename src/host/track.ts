import type { Attachment } from './attachment.js';

/** What became of an attachment over its versions. */
export interface Track {
  /** What ran before the last swap, ready to run again; null when there is nothing to go back to. */
  previous: Attachment | null;
  /** When the last swap was. */
  swappedMs: number;
  swaps: number;
  rollbacks: number;
  /** Whether the configuration file says what it is. */
  declared: boolean;
}

export function newTrack(): Track {
  return { previous: null, swappedMs: 0, swaps: 0, rollbacks: 0, declared: false };
}
