import { type AccountClaims, decodeAccountClaims, type ImportClaims, isActivated } from '../auth/account-claims.js';
import { whyNotNow } from '../auth/jwt.js';
import { isKey } from '../auth/nkey.js';
import type { AccountSource } from '../auth/operator-authenticator.js';
import type { Clock } from '../base/clock.js';
import { describe, Failure } from '../base/failure.js';
import type { Logger } from '../base/logger.js';
import type { AccountSettings, ExportSettings, ImportSettings, ResponseType } from '../broker/account-settings.js';
import type { Accounts } from '../broker/accounts.js';
import { whyNotMapped } from '../config/accounts-mappings.js';
import type { OperatorOptions } from '../config/options.js';
import { filterCovers, isFilter } from '../subject/subject.js';
import { type AccountStore, accountStore } from './account-stores.js';

/** What the accounts of an operator need of the house. */
export interface OperatorHouse {
  accounts: Accounts;
  clock: Clock;
  logger: Logger;
  /** An account's JWT was taken on, for the first time or anew, or forgotten. */
  onTaken: (account: string) => void;
  /** An account is another one now: who is in it has to be looked at. */
  onChanged: (claims: AccountClaims) => void;
  /** The time of an account's JWT is over. */
  onExpired: (account: string) => void;
}

const THRESHOLD_MS = 120_000;
/** A timer of Node waits no longer. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Accounts that operators vouch for: fetched when somebody wants them, and made accounts of the broker. */
export class OperatorAccounts implements AccountSource {
  readonly store: AccountStore;
  private readonly options: OperatorOptions;
  private readonly house: OperatorHouse;
  private readonly known = new Map<string, AccountClaims>();
  private readonly fetching = new Map<string, Promise<AccountClaims | null>>();

  constructor(options: OperatorOptions, house: OperatorHouse) {
    this.options = options;
    this.house = house;
    this.store = accountStore(options.resolver);
    for (const [account, token] of options.preload) this.store.save(account, token);
    for (const [account] of options.preload) void this.find(account);
  }

  find(account: string): AccountClaims | null | Promise<AccountClaims | null> {
    const claims = this.known.get(account);
    if (claims !== undefined && whyNotNow(claims, this.house.clock.nowMs()) === null) return claims;
    return this.load(account, new Set());
  }

  /** What is known of an account, for monitoring. */
  claimsOf(account: string): AccountClaims | undefined {
    return this.known.get(account);
  }

  /** Throws a `Failure` when `update` would not take the JWT. */
  check(account: string, token: string): void {
    try {
      this.decode(account, token);
    } catch (error) {
      throw new Failure('account-jwt', `cannot take the JWT of account ${JSON.stringify(account)}: ${describe(error)}`);
    }
  }

  /** Keeps another JWT of an account; whoever is in the account feels it. Throws what is wrong with it. */
  update(account: string, token: string): void {
    const claims = this.decode(account, token);
    this.store.save(account, token);
    if (!this.known.has(account)) return;
    this.install(claims);
    const imported = this.loadImports(claims, new Set([account]));
    if (imported === null) this.link(claims);
    else void imported.then(() => this.link(claims));
    this.house.onChanged(claims);
  }

  isTrusted(issuer: string): boolean {
    return this.options.trustedKeys.includes(issuer);
  }

  /** Forgets an account's JWT: nobody can come in any more, and who is in has to go. Throws a `Failure` when nothing may be deleted. */
  forget(account: string): void {
    if (!isKey('account', account)) {
      throw new Failure('account-jwt', `cannot delete ${JSON.stringify(account)}: expected an account's public key`);
    }
    this.store.delete(account);
    this.known.delete(account);
    this.house.onTaken(account);
    this.house.onExpired(account);
  }

  private load(account: string, seen: Set<string>): AccountClaims | null | Promise<AccountClaims | null> {
    seen.add(account);
    const claims = this.fetch(account);
    if (claims instanceof Promise) return claims.then((found) => (found === null ? null : this.complete(found, seen)));
    return claims === null ? null : this.complete(claims, seen);
  }

  private complete(claims: AccountClaims, seen: Set<string>): AccountClaims | Promise<AccountClaims> {
    const imported = this.loadImports(claims, seen);
    if (imported !== null)
      return imported.then(() => {
        this.link(claims);
        return claims;
      });
    this.link(claims);
    return claims;
  }

  /** The accounts that this one imports from, and theirs. Null when nothing has to be waited for. */
  private loadImports({ imports }: AccountClaims, seen: Set<string>): Promise<unknown> | null {
    const wanted = [...new Set(imports.map(({ account }) => account))].filter((account) => !seen.has(account));
    const loading = wanted.filter((account) => !this.known.has(account)).map((account) => this.load(account, seen));
    const waiting = loading.filter((one) => one instanceof Promise);
    return waiting.length === 0 ? null : Promise.all(waiting);
  }

  private fetch(account: string): AccountClaims | null | Promise<AccountClaims | null> {
    // Whoever signs a JWT writes there what he likes, and stores make paths and addresses of it.
    if (!isKey('account', account)) return null;
    const present = this.fetching.get(account);
    if (present !== undefined) return present;
    const token = this.attempt(account, () => this.store.fetch(account));
    if (!(token instanceof Promise)) return this.take(account, token);
    const fetched = token
      .catch((error) => this.complain(account, error))
      .then((found) => this.take(account, found))
      .finally(() => this.fetching.delete(account));
    this.fetching.set(account, fetched);
    return fetched;
  }

  private take(account: string, token: string | null): AccountClaims | null {
    if (token === null) return null;
    return this.attempt(account, () => {
      const claims = this.decode(account, token);
      this.install(claims);
      return claims;
    });
  }

  private attempt<T>(account: string, run: () => T): T | null {
    try {
      return run();
    } catch (error) {
      return this.complain(account, error);
    }
  }

  private complain(account: string, error: unknown): null {
    this.house.logger.debug(`Account ${account}: ${describe(error)}`);
    return null;
  }

  private decode(account: string, token: string): AccountClaims {
    const claims = decodeAccountClaims(token);
    if (claims.subject !== account) throw new Failure('account-jwt', `subject is ${claims.subject}`);
    if (!this.isTrusted(claims.issuer)) throw new Failure('account-jwt', 'Account JWT not signed by trusted operator');
    return claims;
  }

  private install(claims: AccountClaims): void {
    this.known.set(claims.subject, claims);
    if (claims.expires > 0) this.awaitEnd(claims);
    this.house.accounts.put(this.settingsOf(claims)).label = claims.name;
    this.house.onTaken(claims.subject);
  }

  private awaitEnd(claims: AccountClaims): void {
    const { clock, onExpired } = this.house;
    const leftMs = Math.max(0, claims.expires * 1000 - clock.nowMs());
    clock.after(Math.min(leftMs, TIMER_MS_MAX), () => {
      // Another JWT may have come since.
      if (this.known.get(claims.subject) !== claims) return;
      if (leftMs > TIMER_MS_MAX) this.awaitEnd(claims);
      else onExpired(claims.subject);
    });
  }

  /** Makes the imports anew: those of this account, and those from it. */
  private link({ subject }: AccountClaims): void {
    // While they were loaded another JWT may have come, or this one was forgotten.
    const present = this.known.get(subject);
    if (present === undefined) return;
    this.house.accounts.put(this.settingsOf(present));
    this.house.accounts.link(subject);
  }

  private settingsOf(claims: AccountClaims): AccountSettings {
    return {
      name: claims.subject,
      limits: {
        connectionsMax: claims.connectionsMax,
        subscriptionsMax: claims.subscriptionsMax,
        payloadBytesMax: claims.payloadBytesMax,
        leafNodesMax: claims.leafNodesMax,
      },
      exports: claims.exports.filter(({ subject }) => isFilter(subject)).map(exportSettings),
      imports: claims.imports.filter(({ subject }) => isFilter(subject)).map((one) => this.importSettings(one, claims)),
      trace: claims.trace,
      mappings: claims.mappings.filter(({ source, destinations }) => whyNotMapped(source, destinations) === null),
    };
  }

  private importSettings(wanted: ImportClaims, { subject: importer }: AccountClaims): ImportSettings {
    const { kind, account, subject, localSubject, to, share, allowTrace } = wanted;
    const exporter = this.known.get(account);
    const offered = exporter?.exports.find((one) => one.kind === kind && filterCovers(one.subject, subject));
    const nowMs = this.house.clock.nowMs();
    // The first version said `to`: what streams get in front, and what services are called.
    const isPrefix = kind === 'stream' && localSubject === '';
    return {
      ...{ kind, account, subject, share, allowTrace },
      to: localSubject || (isPrefix ? '' : to),
      prefix: isPrefix ? to : '',
      activated:
        exporter !== undefined && offered !== undefined && isActivated(wanted, importer, { exporter, offered, nowMs }),
    };
  }
}

const RESPONSE_TYPES: Record<string, ResponseType> = { stream: 'stream', chunked: 'chunked' };

function exportSettings(offered: AccountClaims['exports'][number]): ExportSettings {
  return {
    kind: offered.kind,
    subject: offered.subject,
    // Nobody is on the list: only who has a token.
    accounts: offered.tokenRequired ? [] : null,
    tokenPosition: offered.tokenPosition,
    responseType: RESPONSE_TYPES[offered.responseType] ?? 'singleton',
    responseThresholdMs: offered.responseThresholdMs || THRESHOLD_MS,
    latency: offered.latency,
    allowTrace: offered.allowTrace,
  };
}
