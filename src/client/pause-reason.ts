/** Why nothing is read from a client for a while: bits, since several may hold at once. */
export const PauseReason = {
  /** It is being found out who it is. */
  handshake: 1,
  /** Plugins had their share of this turn. */
  rest: 2,
  /** A receiver of its messages is behind. */
  congestion: 4,
  /** Messages of its wait for plugins in worker threads. */
  workers: 8,
  /** Clients had their share of this turn. */
  turn: 16,
} as const;
export type PauseReason = (typeof PauseReason)[keyof typeof PauseReason];
