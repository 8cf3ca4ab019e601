import { GLOBAL_ACCOUNT, SYSTEM_ACCOUNT } from '../auth/identity.js';
import { describe } from '../base/failure.js';
import type { ImportSettings, ResponseType } from '../broker/account-settings.js';
import { exportFor } from '../broker/accounts.js';
import { filterCovers, filtersOverlap, hasWildcard, isFilter, isLiteralSubject } from '../subject/subject.js';
import { SubjectTransform } from '../subject/transform.js';
import type { AccountDraft } from './account-draft.js';
import type { Draft } from './draft.js';
import { type AccountOptions, accountOptions } from './options.js';
import { configError, type Place } from './place.js';
import { whyNotTwice } from './users-block.js';

/** Judges what needs all accounts to be known, and puts accounts and their users into the options. */
export function settleAccounts(draft: Draft): void {
  const { options, accounts } = draft;
  const byName = new Map(accounts.map((account) => [account.name, account]));
  for (const account of accounts) checkLinks(account, byName);
  const users = accounts.flatMap((account) => account.users);
  if (users.length > 0) addUsers(draft);
  const listed: AccountOptions[] = accounts.map((account) => ({
    name: account.name,
    nkey: account.nkey,
    limits: account.limits,
    jetstream: account.jetstream,
    mappings: account.mappings,
    trace: account.trace,
    exports: account.exports.map(withoutPlace),
    imports: account.imports.map(withoutPlace),
  }));
  const system = options.systemAccount;
  if (system !== SYSTEM_ACCOUNT && !byName.has(system) && options.operator === null)
    throw configError(
      { file: options.configFile, line: 1, column: 1 },
      `error resolving system account: account missing: ${system}`,
    );
  const global = { ...accountOptions(GLOBAL_ACCOUNT), mappings: draft.mappings };
  const own = byName.has(SYSTEM_ACCOUNT) ? [] : [accountOptions(SYSTEM_ACCOUNT)];
  options.accounts = [global, ...(options.operator === null ? own : []), ...listed];
  // Where all users are the system's, everybody else is as if there were no users.
  const onlySystem = accounts.length === 1 && accounts[0].name === system && !draft.authorizationSet;
  if (onlySystem && options.authorization.noAuthUser === undefined && options.operator === null)
    options.authorization.openGlobal = true;
}

function addUsers(draft: Draft): void {
  const { options, accounts } = draft;
  const { authorization } = options;
  const withUsers = accounts.find(({ users }) => users.length > 0)!;
  if (authorization.token !== undefined) throw configError(withUsers.place, 'Can not have a token and accounts');
  if (!draft.usersListed && authorization.users.length > 0)
    throw configError(withUsers.place, 'Can not have a single user/pass and accounts');
  authorization.users = [...authorization.users, ...accounts.flatMap(({ users }) => users)];
  const twice = whyNotTwice(authorization.users);
  if (twice !== null) throw configError(withUsers.place, twice);
  draft.usersListed = true;
}

function withoutPlace<T extends { place: Place }>({ place: _, ...rest }: T): Omit<T, 'place'> {
  return rest;
}

/** Measurements go nowhere from where they would be measured, too. */
function whyNotMeasured({ exports }: AccountDraft, results: string, type: ResponseType): string | null {
  const isService = exports.some(({ kind, subject }) => kind === 'service' && filterCovers(subject, results));
  if (!isLiteralSubject(results) || isService) return 'invalid publish subject';
  return type === 'singleton' ? null : 'bad service response type';
}

type ByName = ReadonlyMap<string, AccountDraft>;

function checkLinks(account: AccountDraft, byName: ByName): void {
  for (const { kind, subject, accounts, place, latency, responseType } of account.exports) {
    const fail = (what: string): never => {
      throw configError(place, what);
    };
    const missing = accounts?.find((name) => !byName.has(name));
    if (missing !== undefined) fail(`${JSON.stringify(missing)} account not defined for ${kind} export`);
    if (!isFilter(subject)) fail(`Error adding ${kind} export ${JSON.stringify(subject)}: invalid subject`);
    if (latency === null) continue;
    const why = whyNotMeasured(account, latency.subject, responseType);
    const what = `Error adding service latency sampling for ${JSON.stringify(subject)} on subject ${JSON.stringify(latency.subject)}`;
    if (why !== null) fail(`${what}: ${why}`);
  }
  for (const wanted of account.imports) {
    const { kind, subject, place, account: from } = wanted;
    if (!byName.has(from)) throw configError(place, `${JSON.stringify(from)} account not defined for ${kind} import`);
    const why = whyNotImported(account, wanted, byName);
    if (why !== null) throw configError(place, `Error adding ${kind} import ${JSON.stringify(subject)}: ${why}`);
  }
  whyTwice(account);
}

function whyTwice(account: AccountDraft): void {
  const seen = new Set<string>();
  for (const { kind, account: from, subject, place } of account.imports) {
    if (kind === 'service') continue;
    const key = `${from} ${subject}`;
    if (seen.has(key))
      throw configError(place, `Error adding stream import ${JSON.stringify(subject)}: stream import already exists`);
    seen.add(key);
  }
}

function whyNotImported(importer: AccountDraft, wanted: ImportSettings, byName: ByName): string | null {
  const { kind, subject, to, prefix, account } = wanted;
  if (!isFilter(subject) || (to !== '' && !isFilter(to.replace(/\$\d+/g, '*')))) return 'invalid subject';
  if (exportFor(byName.get(account)!.exports, wanted, importer.name) === undefined)
    return `${kind} import not authorized`;
  if (hasWildcard(prefix) || (prefix !== '' && !isFilter(prefix)))
    return 'stream import prefix can not contain wildcard tokens';
  if (kind === 'stream' && to !== '' && to !== subject) {
    try {
      new SubjectTransform(subject, to);
    } catch (error) {
      return `failed to create mapping transform for stream import subject from ${JSON.stringify(subject)} to ${JSON.stringify(to)}: ${describe(error)}`;
    }
  }
  return comesBack(importer.name, wanted, { byName, seen: new Set() }) ? 'import forms a cycle' : null;
}

/** Under which subjects an import is known in the account that imports. */
function localSubject({ subject, to, prefix }: ImportSettings): string {
  if (prefix !== '') return `${prefix}.${subject}`;
  return to === '' ? subject : to.replace(/\$\d+/g, '*');
}

/** Whether what is imported was, on its way, imported from the same account. */
function comesBack(
  home: string,
  { kind, account, subject }: ImportSettings,
  { byName, seen }: { byName: ByName; seen: Set<string> },
): boolean {
  if (account === home) return true;
  const key = `${account} ${subject}`;
  if (seen.has(key)) return false;
  seen.add(key);
  const further = byName.get(account)?.imports ?? [];
  return further.some(
    (next) =>
      next.kind === kind && filtersOverlap(localSubject(next), subject) && comesBack(home, next, { byName, seen }),
  );
}
