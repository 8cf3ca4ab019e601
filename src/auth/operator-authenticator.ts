import { type AccountClaims, isRevoked, isSigner } from './account-claims.js';
import type { Authentication, ConnectionFacts, Credentials, Verdict } from './authentication.js';
import { whyNotSigned } from './authenticator.js';
import { type CalloutHouse, callOut, withoutService } from './callout.js';
import type { CalloutPlace, CalloutRule } from './callout-answer.js';
import { isFrom, stayMs } from './circumstances.js';
import type { Identity } from './identity.js';
import { JwtMistake, whyNotNow } from './jwt.js';
import { Permissions } from './permissions.js';
import { fillTemplate } from './template.js';
import { decodeUserClaims, isUnlimited, type UserClaims, type UserLimits } from './user-claims.js';

/** Where accounts come from. */
export interface AccountSource {
  /** What is known of an account now; a promise when it must be looked for, null when there is none. */
  find(account: string): AccountClaims | null | Promise<AccountClaims | null>;
}

export interface OperatorSettings {
  /** Accounts that may be used; null is all. */
  pinnedAccounts: ReadonlySet<string> | null;
  /** The JWT of who shows none; empty is nobody. */
  defaultSentinel: string;
  nowMs: () => number;
}

/** Connection types that this server knows of; others in a JWT are for other servers. */
const TYPES = ['STANDARD', 'WEBSOCKET', 'LEAFNODE', 'LEAFNODE_WS', 'MQTT', 'MQTT_WS', 'IN_PROCESS'];

/** Says who clients are by JWTs: a user's, signed by an account, whose own is signed by an operator that is trusted. */
export class OperatorAuthenticator implements Authentication {
  readonly required = true;
  readonly announced = true;
  readonly guarded = true;
  readonly nonceRequired = true;
  private readonly accounts: AccountSource;
  private readonly callouts: CalloutHouse;
  private readonly settings: OperatorSettings;

  constructor(accounts: AccountSource, callouts: CalloutHouse, settings: OperatorSettings) {
    this.accounts = accounts;
    this.callouts = callouts;
    this.settings = settings;
  }

  authenticate(credentials: Credentials, facts: ConnectionFacts): Verdict {
    const user = this.userOf(credentials, facts);
    if (user === null) return null;
    const key = user.issuerAccount || user.issuer;
    const { pinnedAccounts } = this.settings;
    if (pinnedAccounts !== null && !pinnedAccounts.has(key)) {
      facts.note(`Account ${key} not listed as operator pinned account`);
      return null;
    }
    const account = this.accounts.find(key);
    if (!(account instanceof Promise)) return this.judge(user, account, { credentials, facts });
    return account.then((found) => this.judge(user, found, { credentials, facts }));
  }

  knownFrom(): undefined {
    return undefined;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private userOf({ jwt }: Credentials, facts: ConnectionFacts): UserClaims | null {
    const token = jwt || this.settings.defaultSentinel;
    if (token === '') {
      facts.note('Authentication requires a user JWT');
      return null;
    }
    try {
      const user = decodeUserClaims(token);
      const late = whyNotNow(user, this.settings.nowMs());
      if (late === null) return user;
      facts.note(`User JWT no longer valid: ${late}`);
    } catch (error) {
      if (!(error instanceof JwtMistake)) throw error;
      facts.note(`User JWT not valid: ${error.message}`);
    }
    return null;
  }

  private judge(user: UserClaims, account: AccountClaims | null, asked: Asked): Verdict {
    const { facts } = asked;
    if (account === null) {
      facts.note('Account JWT lookup error');
      return null;
    }
    const identity = this.byJwt(user, account, asked);
    const { users } = account.externalAuthorization;
    if (users.length === 0) return identity;
    if (users.includes(user.subject)) return identity === null ? null : withoutService(identity);
    return this.byCallout(account, facts);
  }

  /** The account has a service that says who its users are. */
  private async byCallout(account: AccountClaims, facts: ConnectionFacts): Promise<Identity | null> {
    const { subject, externalAuthorization } = account;
    const rule: CalloutRule = {
      account: subject,
      xkey: externalAuthorization.xkey,
      whyNotSigner: (issuer) => (isSigner(account, issuer) ? null : 'auth callout signing key is unknown'),
      placeOf: (answer) => this.placeOf(answer, account),
    };
    const identity = await callOut(rule, { subject, facts, house: this.callouts });
    return identity?.account === subject ? withoutService(identity) : identity;
  }

  private async placeOf(answer: UserClaims, { subject, externalAuthorization }: AccountClaims): Promise<CalloutPlace> {
    const wanted = answer.issuerAccount || answer.issuer;
    const { accounts } = externalAuthorization;
    if (wanted !== subject && !accounts.includes(wanted) && !accounts.includes('*'))
      return {
        error: `account "${wanted}" not permitted as valid account option for auth callout for account "${subject}"`,
      };
    const target = await this.accounts.find(wanted);
    if (target === null)
      return { error: `no valid account "${wanted}" for auth callout response on account "${subject}"` };
    const limits = limitsOf(answer, target);
    return typeof limits === 'string' ? { error: limits } : { account: wanted, limits };
  }

  private byJwt(user: UserClaims, account: AccountClaims, asked: Asked): Identity | null {
    const { facts } = asked;
    const limits = limitsOf(user, account);
    if (typeof limits === 'string') {
      facts.note(limits);
      return null;
    }
    const nowMs = this.settings.nowMs();
    const stay = stayMs(limits, nowMs);
    const why = whyNot(user, account, { ...asked, limits, stay, nowMs });
    if (why === null) return identityFor(user, account, { limits, untilMs: stay === null ? null : nowMs + stay });
    facts.note(why);
    return null;
  }
}

interface Asked {
  credentials: Credentials;
  facts: ConnectionFacts;
}

/** What the user may do: by its own JWT, or by the template of the key that signed it. A text says why neither holds. */
function limitsOf(user: UserClaims, account: AccountClaims): UserLimits | string {
  if (!isSigner(account, user.issuer)) return 'User JWT issuer is not known';
  const template = account.signingKeys.get(user.issuer) ?? null;
  if (template === null) return user.limits;
  if (!user.isScoped) return 'User JWT is not valid: scoped users require no permissions or limits set';
  const permissions = fillTemplate(template.permissions, {
    userName: user.name,
    userKey: user.subject,
    userTags: user.tags,
    accountName: account.name,
    accountKey: account.subject,
    accountTags: account.tags,
  });
  return permissions === null ? 'User JWT generated invalid permissions' : { ...template, permissions };
}

interface Judged extends Asked {
  limits: UserLimits;
  stay: number | null;
  nowMs: number;
}

function whyNot(user: UserClaims, account: AccountClaims, judged: Judged): string | null {
  const { limits, stay, nowMs, facts, credentials } = judged;
  if (limits.proxyRequired) return 'proxy connection required';
  if (whyNotNow(account, nowMs) !== null) return 'Account JWT has expired';
  if (limits.bearer && account.bearerForbidden) return 'Account does not allow bearer tokens';
  if (!isTypeAllowed(limits.connectionTypes, facts.type)) return 'Connection type not allowed';
  const unsigned = limits.bearer ? null : whyNotSigned(user.subject, credentials.signature, facts.nonce);
  if (unsigned !== null) return unsigned;
  if (isRevoked(account.revocations, user.subject, user.issuedAt)) return 'User authentication revoked';
  if (!isFrom(limits.sources, facts.host)) return `Bad src Ip ${facts.host}`;
  return stay === 0 ? 'Outside connect times' : null;
}

/** Types that nobody here knows allow nothing; a list of nothing else allows nobody. */
function isTypeAllowed(listed: readonly string[], type: string): boolean {
  if (listed.length === 0) return true;
  return listed.map((name) => name.toUpperCase()).some((name) => TYPES.includes(name) && name === type);
}

function identityFor(
  user: UserClaims,
  account: AccountClaims,
  { limits, untilMs }: { limits: UserLimits; untilMs: number | null },
): Identity {
  const rules = isUnlimited(limits.permissions) ? account.defaultPermissions : limits.permissions;
  const expiresMs = user.expires > 0 ? user.expires * 1000 : null;
  return {
    userName: user.subject,
    account: account.subject,
    permissions: isUnlimited(rules) ? null : new Permissions(rules),
    limits: { subscriptionsMax: limits.subscriptionsMax, payloadBytesMax: limits.payloadBytesMax },
    expiresMs: expiresMs === null || untilMs === null ? (expiresMs ?? untilMs) : Math.min(expiresMs, untilMs),
    claims: { jwt: user.token, issuer: user.issuer, name: user.name, tags: user.tags, issuedAt: user.issuedAt },
  };
}
