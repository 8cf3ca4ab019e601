import type { TlsContext } from './tls-context.js';
import type { TlsFacts } from './tls-peer.js';

/** What carries bytes: a TCP, TLS or WebSocket connection. It knows nothing of what the bytes mean. */
export interface Transport {
  readonly kind: 'tcp' | 'tls' | 'websocket';
  readonly secure: boolean;
  /** What TLS agreed on; null without it, or before. */
  readonly tls: TlsFacts | null;
  /** The peer's address as text, and its port; empty and 0 when the connection is already gone. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** Bytes handed to `write` whose `done` has not been called yet. */
  readonly pendingBytes: number;
  /** Values of the peer's HTTP upgrade request; null for plain connections. */
  readonly upgrade: UpgradeRequest | null;
  /** Who gets the bytes. Set once, before the first byte is read. */
  receiver: TransportReceiver | null;
  /**
   * Writes all of `bytes`. They must not change until `done` is called, which happens exactly once: when they are with the
   * kernel, which may be before this returns, or when the connection is gone.
   */
  write(bytes: Uint8Array, done: () => void): void;
  /** Stops and resumes reading from the peer. Both may be called twice. */
  pause(): void;
  resume(): void;
  /**
   * Closes after everything written so far was sent. With `gently` the peer gets the time to read it: closing at once while it still
   * sends would reset the connection, and the peer would lose what it was told. Whoever calls this destroys the transport some time later.
   */
  end(gently: boolean): void;
  /** Closes at once; what was not sent is lost. */
  destroy(): void;
  /**
   * Goes on with TLS, as its server, and calls `done` once: with the error when the handshake failed. `early` is what was read already of
   * the peer's handshake. Only where `kind` is `tcp`, and paused.
   */
  secureWith?(context: TlsContext, early: Uint8Array, done: (error: Error | null) => void): void;
}

/** Who is at the other end of a transport, inside the house. */
export interface TransportReceiver {
  /**
   * Bytes arrived: `bytes[start, end)`, valid until this call returns. When `start` is not 0, the `start` bytes in front of it are free for the
   * receiver to write: room to join what is left over from the call before.
   */
  received(bytes: Uint8Array, start: number, end: number): void;
  /** The connection is gone; called exactly once. `error` is null when the peer closed in order. */
  closed(error: Error | null): void;
}

/** What an HTTP upgrade request carried that a session may want. */
export interface UpgradeRequest {
  /** The path asked for, such as `/`, `/leafnode` or `/mqtt`. */
  readonly path: string;
  /** The first address of `X-Forwarded-For`, or empty. */
  readonly forwardedFor: string;
  /** Cookies by name, decoded. */
  readonly cookies: ReadonlyMap<string, string>;
}
