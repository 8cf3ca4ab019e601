import type { Timer } from '../base/clock.js';
import { describe } from '../base/failure.js';
import type { Transport, TransportReceiver } from '../net/transport.js';
import { ErrorText } from '../wire/nats/errors.js';
import { ClosedReason } from './closed-reason.js';
import type { ClientContext } from './context.js';
import type { ClientTls } from './tls-entrance.js';
import { tlsErrorText } from './tls-error.js';

/** The first byte of every TLS handshake; no operation of NATS begins with it. */
const TLS_HANDSHAKE = 0x16;
const NOTHING = new Uint8Array(0);

/** Whose opening it is: a session. */
interface Newcomer {
  readonly label: string;
  readonly transport: Transport;
  readonly closedReason: ClosedReason | null;
  /** Whether TLS came before INFO. */
  tlsFirst: boolean;
  sendFirstInfo(tlsRequired: boolean): void;
  /** The connection is as it will be: from here on operations are read, `early` first. */
  begin(early: Uint8Array): void;
  close(reason: ClosedReason, errorText?: string): void;
}

/**
 * What happens before the first operation: INFO, and a TLS handshake before or after it.
 *
 * ```text
 * plain          INFO ->                 begin
 * TLS            INFO ->  <- handshake   begin
 * TLS first               <- handshake   INFO ->  begin
 * ```
 */
export class Opening implements TransportReceiver {
  private readonly session: Newcomer;
  private readonly context: ClientContext;
  private readonly tls: ClientTls;
  private timer: Timer | null = null;
  /** INFO waits for the handshake. */
  private infoWaits: boolean;
  private securing = false;
  private ended = false;

  constructor(session: Newcomer, context: ClientContext, tls: ClientTls) {
    this.session = session;
    this.context = context;
    this.tls = tls;
    this.infoWaits = tls.first;
  }

  start(): void {
    const { tls, session } = this;
    if (!this.infoWaits) session.sendFirstInfo(!tls.optional);
    if (this.infoWaits && tls.fallbackMs > 0) this.after(tls.fallbackMs, () => this.fallBack());
    else this.after(tls.timeoutMs, () => this.onTimeout());
    session.transport.receiver = this;
    session.transport.resume();
  }

  /** The first bytes tell what the client wants. */
  received(bytes: Uint8Array, start: number, end: number): void {
    const early = bytes.slice(start, end);
    const { transport } = this.session;
    transport.pause();
    if (early[0] === TLS_HANDSHAKE) this.secure(early);
    else if (this.tls.optional && !this.infoWaits) this.finish(early);
    else this.refuse('tls: first record does not look like a TLS handshake', ErrorText.tlsRequired);
  }

  closed(): void {
    this.fail(new Error('EOF'));
  }

  private after(ms: number, run: () => void): void {
    this.timer?.cancel();
    this.timer = this.context.clock.after(ms, run);
  }

  /** No handshake came first: it may come after INFO. */
  private fallBack(): void {
    const { tls, session } = this;
    this.infoWaits = false;
    session.sendFirstInfo(!tls.optional);
    this.after(tls.timeoutMs, () => this.onTimeout());
  }

  private secure(early: Uint8Array): void {
    const { tls, session, context } = this;
    this.securing = true;
    if (!tls.mayBegin()) {
      this.ended = true;
      this.timer?.cancel();
      session.close(ClosedReason.maximumConnections, ErrorText.throttled);
      return;
    }
    this.after(tls.timeoutMs, () => this.onTimeout());
    context.logger.debug(`${session.label} - Starting TLS client connection handshake`);
    session.transport.secureWith!(tls.context, early, (error) => {
      if (error === null) this.secured();
      else this.fail(error);
    });
  }

  private secured(): void {
    if (this.ended) return;
    const { session, context } = this;
    const { version, cipherSuite } = session.transport.tls!;
    context.logger.debug(`${session.label} - TLS handshake complete`);
    context.logger.debug(`${session.label} - TLS version ${version}, cipher suite ${cipherSuite}`);
    if (this.infoWaits) {
      session.tlsFirst = true;
      session.sendFirstInfo(true);
    }
    this.finish(NOTHING);
  }

  /** With TLS a client that says nothing has had its time; without, it may have all the time to log in. */
  private onTimeout(): void {
    if (!this.securing && this.tls.optional) this.finish(NOTHING);
    else {
      this.context.logger.debug(`${this.session.label} - TLS handshake timeout`);
      this.refuse(null, this.securing ? undefined : ErrorText.tlsRequired);
    }
  }

  private fail(error: Error): void {
    if (this.ended) return;
    this.context.logger.error(
      `${this.session.label} - TLS handshake error: ${tlsErrorText(describe(error), (error as { code?: string }).code)}`,
    );
    this.refuse(null);
  }

  private refuse(logged: string | null, said?: string): void {
    if (this.ended) return;
    this.ended = true;
    this.timer?.cancel();
    const { session, context } = this;
    if (logged !== null) context.logger.debug(`${session.label} - TLS handshake error: ${logged}`);
    session.close(ClosedReason.tlsHandshake, said);
  }

  private finish(early: Uint8Array): void {
    if (this.ended) return;
    this.ended = true;
    this.timer?.cancel();
    if (this.session.closedReason === null) this.session.begin(early);
  }
}
