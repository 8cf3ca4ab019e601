import type { Authentication, ConnectionFacts, Credentials, Verdict } from './authentication.js';
import type { CalloutSettings } from './authenticator.js';
import { type CalloutHouse, callOut, withoutService } from './callout.js';
import type { CalloutPlace, CalloutRule } from './callout-answer.js';
import { GLOBAL_ACCOUNT, type Identity } from './identity.js';
import type { UserClaims } from './user-claims.js';

/** Asks a service who a client is, unless it is one of the users that the server itself knows. */
export class CalloutAuthenticator implements Authentication {
  readonly required = true;
  readonly announced = true;
  readonly guarded = true;
  readonly nonceRequired = true;
  private readonly inner: Authentication;
  private readonly settings: CalloutSettings;
  private readonly house: CalloutHouse;

  constructor(inner: Authentication, settings: CalloutSettings, house: CalloutHouse) {
    this.inner = inner;
    this.settings = settings;
    this.house = house;
  }

  authenticate(credentials: Credentials, facts: ConnectionFacts): Verdict {
    const known = this.inner.authenticate(credentials, facts);
    if (known instanceof Promise) return known.then((identity) => this.judge(identity, credentials, facts));
    return this.judge(known, credentials, facts);
  }

  knownFrom(): undefined {
    return undefined;
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  private judge(known: Identity | null, { user, nkey }: Credentials, facts: ConnectionFacts): Verdict {
    const { users, accounts, account } = this.settings;
    const named = known?.userName || nkey || user;
    if (users.includes(named)) return this.inService(known);
    const isElsewhere = known !== null && known.account !== GLOBAL_ACCOUNT;
    if (isElsewhere && accounts.length > 0 && !accounts.includes(known.account)) return known;
    const rule: CalloutRule = {
      account,
      xkey: this.settings.xkey,
      whyNotSigner: (issuer) => (issuer === this.settings.issuer ? null : 'auth callout signing key is unknown'),
      placeOf: (answer) => this.placeOf(answer),
    };
    return callOut(rule, { subject: this.settings.issuer, facts, house: this.house }).then((identity) =>
      this.inService(identity),
    );
  }

  private placeOf({ issuer, issuerAccount, audience, limits }: UserClaims): CalloutPlace {
    const where = JSON.stringify(this.settings.account);
    const { issuer: expected } = this.settings;
    if (issuerAccount !== '')
      return { error: `error non operator mode account ${where}: attempted to use issuer_account` };
    if (issuer !== expected)
      return {
        error: `wrong issuer for auth callout response on account ${where}, expected "${expected}" got "${issuer}"`,
      };
    if (this.house.isAccount(audience)) return { account: audience, limits };
    return { error: `no valid account ${JSON.stringify(audience)} for auth callout response on account ${where}` };
  }

  private inService(identity: Identity | null): Identity | null {
    return identity?.account === this.settings.account ? withoutService(identity) : identity;
  }
}
