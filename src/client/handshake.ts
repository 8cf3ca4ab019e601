import type { Verdict } from '../auth/authentication.js';
import type { Identity } from '../auth/identity.js';
import { ErrorText } from '../wire/nats/errors.js';
import { ClosedReason } from './closed-reason.js';
import { type ConnectOptions, DEFAULT_CONNECT, readConnect } from './connect-options.js';
import type { Applicant, ClientContext } from './context.js';
import type { Refusal } from './membership.js';
import { userLabelOf } from './request-info.js';

/** Whose handshake it is: a session. */
interface Newcomer extends Applicant {
  readonly identity: Identity | null;
  readonly closedReason: ClosedReason | null;
  options: Readonly<ConnectOptions>;
  hold(): void;
  goOn(): void;
  /** Answers why it cannot be in its account, or null. */
  setIdentity(identity: Identity): Refusal | null;
  onConnected(options: Readonly<ConnectOptions>, headers: boolean): void;
  close(reason: ClosedReason, errorText?: string): void;
}

/** CONNECT: what the client wants, who it is, and whether it may come in. It may come again later. */
export class Handshake {
  private readonly session: Newcomer;
  private readonly context: ClientContext;
  connectSeen = false;

  constructor(session: Newcomer, context: ClientContext) {
    this.session = session;
    this.context = context;
  }

  /** Where nobody has to say who it is, a client is somebody before its CONNECT: the user that the configuration names, or anybody. */
  admitUnnamed(): void {
    const identity = this.authenticate(DEFAULT_CONNECT);
    if (identity === null || identity instanceof Promise) return;
    const refusal = this.session.setIdentity(identity);
    if (refusal !== null) this.turnAway(refusal);
  }

  onConnect(json: string): void {
    const { session, context } = this;
    const options = readConnect(json, session.options);
    if (typeof options === 'string') {
      context.logger.error(`${session.label} - ${options}`);
      session.close(ClosedReason.protocolViolation);
      return;
    }
    session.options = options;
    this.connectSeen = true;
    const verdict = this.authenticate(options);
    if (!(verdict instanceof Promise)) {
      this.settle(verdict);
      return;
    }
    // Passwords are checked elsewhere, and streams opened: until then nothing of this client is read or parsed.
    session.hold();
    verdict.then((identity) => {
      if (session.closedReason !== null) return;
      this.settle(identity);
      session.goOn();
    });
  }

  /** Who this is; known when the account is ready for it. */
  private authenticate(options: Readonly<ConnectOptions>): Verdict {
    return this.whenOpen(this.context.authenticate(options, this.session), options);
  }

  private whenOpen(verdict: Verdict, options: Readonly<ConnectOptions>): Verdict {
    if (verdict instanceof Promise) return verdict.then((identity) => this.whenOpen(identity, options));
    const opening = verdict === null ? null : this.context.accounts.opening(verdict.account);
    // Users may be others by then.
    return opening === null ? verdict : opening.then(() => this.authenticate(options));
  }

  /** It is not known who this is, or it may not come in. */
  refuse(): void {
    const user = userLabelOf(this.session);
    this.context.logger.error(`${this.session.label} - authentication error${user === '' ? '' : ` - ${user}`}`);
    this.context.refused(this.session.id);
    this.session.close(ClosedReason.authenticationViolation, ErrorText.authorizationViolation);
  }

  /** It is known who this is, and there is no room. */
  private turnAway({ reason, text }: Refusal): void {
    this.context.logger.error(`${this.session.label} - ${text}`);
    this.session.close(reason, text);
  }

  private settle(identity: Identity | null): void {
    const { session, context } = this;
    const { account, protocol, headers: wantsHeaders, noResponders } = session.options;
    if (identity === null) {
      this.refuse();
      return;
    }
    if (account !== '') {
      context.logger.error(
        `${session.label} - a client cannot choose its account: CONNECT asked for ${JSON.stringify(account)}`,
      );
      this.refuse();
      return;
    }
    const refusal = session.setIdentity(identity);
    if (refusal !== null) {
      this.turnAway(refusal);
      return;
    }
    if (protocol !== 0 && protocol !== 1) {
      session.close(ClosedReason.badClientProtocolVersion, ErrorText.invalidClientProtocol);
      return;
    }
    const headers = wantsHeaders && context.limits.headers;
    if (noResponders && !headers) {
      session.close(ClosedReason.noRespondersRequiresHeaders, ErrorText.noRespondersNeedsHeaders);
      return;
    }
    session.onConnected(session.options, headers);
  }
}
