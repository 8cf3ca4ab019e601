import type { Permissions } from './permissions.js';

/** Who a connection turned out to be. */
export interface Identity {
  /** Empty when nobody had to be named. */
  readonly userName: string;
  /** What it may do; null is everything. */
  readonly permissions: Permissions | null;
}
