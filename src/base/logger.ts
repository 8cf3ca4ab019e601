/** The server's log. Levels are nats-server's: fatal FTL, error ERR, warn WRN, info INF, debug DBG, trace TRC. */
export interface Logger {
  /** Guards for call sites whose text is costly to make. */
  readonly debugEnabled: boolean;
  readonly traceEnabled: boolean;
  fatal(text: string): void;
  error(text: string): void;
  warn(text: string): void;
  info(text: string): void;
  debug(text: string): void;
  trace(text: string): void;
}

function nothing(): void {}

/** Says nothing: for tests and embedding. */
export const silentLogger: Logger = {
  debugEnabled: false,
  traceEnabled: false,
  fatal: nothing,
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  trace: nothing,
};
