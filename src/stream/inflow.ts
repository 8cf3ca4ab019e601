/** Messages that come from other streams: a mirror's, or those of sources. */
export interface Inflow {
  /** `mirror` or `sources` of the stream's information. */
  info(): object;
  /** Stops taking. */
  close(): void;
}
