import type { Identity } from '../auth/identity.js';
import type { Timer } from '../base/clock.js';
import type { Account } from '../broker/account.js';
import { ErrorText } from '../wire/nats/errors.js';
import { ClosedReason } from './closed-reason.js';
import type { ClientContext } from './context.js';

/** Why somebody cannot be in an account. */
export interface Refusal {
  reason: ClosedReason;
  text: string;
}

/** A timer of Node waits no longer. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Whose membership it is: a session. */
interface Member {
  readonly label: string;
  account: Account;
  close(reason: ClosedReason, errorText?: string): void;
}

/** A client in its account: counted there, within the limits of the account and its own, until its time is over. */
export class Membership {
  private readonly member: Member;
  private readonly context: ClientContext;
  private identity: Identity | null = null;
  private counted: Account | null = null;
  private expiry: Timer | null = null;

  constructor(member: Member, context: ClientContext) {
    this.member = member;
    this.context = context;
  }

  /** Puts the client into the account of an identity. Answers why it cannot be there, or null. */
  join(identity: Identity): Refusal | null {
    const account = this.context.accounts.get(identity.account);
    if (account === undefined)
      return { reason: ClosedReason.missingAccount, text: ErrorText.failedAccountRegistration };
    if (account !== this.counted) {
      const { connectionsMax } = account.limits;
      if (connectionsMax >= 0 && account.clients >= connectionsMax)
        return { reason: ClosedReason.maximumAccountConnections, text: ErrorText.maximumAccountConnections };
      this.leave();
      account.clients++;
      this.counted = account;
      this.member.account = account;
    }
    this.identity = identity;
    this.expireAt(identity.expiresMs);
    return null;
  }

  leave(): void {
    this.expiry?.cancel();
    if (this.counted !== null) this.counted.clients--;
    this.counted = null;
  }

  /** The least of the limits of the server, the account and the user. */
  get payloadBytesMax(): number {
    const limits = [this.counted?.limits.payloadBytesMax, this.identity?.limits?.payloadBytesMax];
    return least(this.context.limits.payloadBytesMax, limits);
  }

  /** -1 is no limit. */
  get subscriptionsMax(): number {
    const limits = [this.counted?.limits.subscriptionsMax, this.identity?.limits?.subscriptionsMax];
    const { subscriptionsMax } = this.context.limits;
    const most = least(subscriptionsMax > 0 ? subscriptionsMax : Number.MAX_SAFE_INTEGER, limits);
    return most === Number.MAX_SAFE_INTEGER ? -1 : most;
  }

  private expireAt(expiresMs: number | null): void {
    this.expiry?.cancel();
    this.expiry = null;
    if (expiresMs === null) return;
    const { clock, logger } = this.context;
    const leftMs = Math.max(0, expiresMs - clock.nowMs());
    this.expiry = clock.after(Math.min(leftMs, TIMER_MS_MAX), () => {
      if (leftMs > TIMER_MS_MAX) this.expireAt(expiresMs);
      else {
        logger.debug(`${this.member.label} - ${ErrorText.authenticationExpired}`);
        this.member.close(ClosedReason.authenticationExpired, ErrorText.authenticationExpired);
      }
    });
  }
}

/** Of limits, those that are there: absent ones and negative ones are none. */
function least(most: number, limits: readonly (number | undefined)[]): number {
  return limits.reduce<number>((min, limit = -1) => (limit >= 0 && limit < min ? limit : min), most);
}
