import type { Clock } from '../base/clock.js';
import { filterCovers } from '../subject/subject.js';
import { Account, type AccountPlugins } from './account.js';
import { type AccountSettings, type ExportSettings, emptyAccount, type ImportSettings } from './account-settings.js';
import { Responses } from './responses.js';
import { ServiceImport } from './service-import.js';
import { StreamImport } from './stream-import.js';

/** What accounts are made with. */
export interface AccountsHouse {
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Whether each account keeps few routes: less memory, and slower with thousands of subjects. */
  fewRoutes?: boolean;
  /** The plugins of an account; null is none. */
  plugins: (name: string) => AccountPlugins | null;
}

interface Entry {
  account: Account;
  settings: AccountSettings;
  imports: (StreamImport | ServiceImport)[];
  responses: Responses;
}

/** All accounts by name, and what goes between them. */
export class Accounts {
  private readonly house: AccountsHouse;
  private readonly entries = new Map<string, Entry>();
  private readonly watchers: ((account: Account) => void)[] = [];

  constructor(house: AccountsHouse) {
    this.house = house;
  }

  get(name: string): Account | undefined {
    return this.entries.get(name)?.account;
  }

  /** What to wait for before anybody comes into an account: its own streams, and those of accounts that it imports from; null as a rule. */
  opening(name: string): Promise<unknown> | null {
    const names = new Set([name]);
    for (const each of names) for (const { account } of this.settingsOf(each)?.imports ?? []) names.add(account);
    const waits = [...names].map((each) => this.get(each)?.opening ?? null).filter((wait) => wait !== null);
    return waits.length === 0 ? null : Promise.all(waits);
  }

  settingsOf(name: string): AccountSettings | undefined {
    return this.entries.get(name)?.settings;
  }

  all(): Account[] {
    return Array.from(this.entries.values(), ({ account }) => account);
  }

  /** Calls `watcher` for every account that there is and that will be. */
  onAccount(watcher: (account: Account) => void): void {
    this.watchers.push(watcher);
    for (const { account } of this.entries.values()) watcher(account);
  }

  /** Makes the accounts that are listed what their settings say. Those that are not listed stay, with nothing imported. */
  apply(listed: readonly AccountSettings[]): void {
    const names = new Set(listed.map(({ name }) => name));
    for (const settings of listed) this.put(settings);
    for (const [name, entry] of this.entries) if (!names.has(name)) entry.settings = emptyAccount(name);
    this.linkAll();
  }

  /** Makes one account what its settings say; others may import from it. */
  put(settings: AccountSettings): Account {
    const entry = this.entries.get(settings.name) ?? this.make(settings.name);
    entry.settings = settings;
    entry.account.configure(settings);
    return entry.account;
  }

  /** Makes the imports of all accounts anew, after some of them changed. */
  linkAll(): void {
    for (const entry of this.entries.values()) {
      for (const link of entry.imports) link.end();
      entry.imports = entry.settings.imports.flatMap((settings) => this.linkOne(entry, settings));
    }
  }

  /** Makes the imports of one account anew, and those of others from it. */
  link(name: string): void {
    for (const entry of this.entries.values()) {
      const { imports } = entry.settings;
      if (entry.account.name !== name && !imports.some(({ account }) => account === name)) continue;
      for (const link of entry.imports) link.end();
      entry.imports = imports.flatMap((settings) => this.linkOne(entry, settings));
    }
  }

  private make(name: string): Entry {
    const { plugins, random, clock } = this.house;
    const account = new Account(name, plugins(name), random);
    if (this.house.fewRoutes) account.keepFewRoutes();
    const entry = { account, settings: emptyAccount(name), imports: [], responses: new Responses(account, clock) };
    this.entries.set(name, entry);
    for (const watcher of this.watchers) watcher(account);
    return entry;
  }

  private linkOne(to: Entry, settings: ImportSettings): (StreamImport | ServiceImport)[] {
    const from = this.entries.get(settings.account);
    const offered = from && exportFor(from.settings.exports, settings, to.settings.name);
    if (from === undefined || offered === undefined) return [];
    if (settings.kind === 'stream') return [new StreamImport(from.account, to.account, settings)];
    const service = { account: from.account, settings: offered, responses: from.responses, back: to.responses };
    const { clock, random } = this.house;
    return [new ServiceImport(to.account, service, { settings, clock, random })];
  }
}

/** The export that allows an import, or undefined when none does. */
export function exportFor(
  exports: readonly ExportSettings[],
  { kind, subject, activated = false }: ImportSettings,
  importer: string,
): ExportSettings | undefined {
  return exports.find((offered) => {
    if (offered.kind !== kind || !filterCovers(offered.subject, subject)) return false;
    if (offered.tokenPosition > 0) return subject.split('.')[offered.tokenPosition - 1] === importer;
    return offered.accounts === null || activated || offered.accounts.includes(importer);
  });
}
