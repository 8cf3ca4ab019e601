import { mkdirSync, readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isKey } from '../auth/nkey.js';
import { Failure } from '../base/failure.js';
import type { ResolverOptions, ResolverTls } from '../config/options.js';

/** Where the JWTs of accounts are. */
export interface AccountStore {
  readonly kind: ResolverOptions['kind'];
  /** The JWT of an account; null when there is none. A promise that rejects says that nobody knows. */
  fetch(account: string): string | null | Promise<string | null>;
  /** Throws a `Failure` when nothing can be kept. */
  save(account: string, token: string): void;
  /** Public keys of the accounts that are there. */
  list(): string[];
  /** Throws a `Failure` when nothing may be deleted. */
  delete(account: string): void;
}

export function accountStore(options: ResolverOptions): AccountStore {
  if (options.kind === 'url') return new UrlStore(options);
  return options.kind === 'directory' ? new DirectoryStore(options) : new MemoryStore();
}

class MemoryStore implements AccountStore {
  readonly kind = 'memory';
  private readonly tokens = new Map<string, string>();

  fetch(account: string): string | null {
    return this.tokens.get(account) ?? null;
  }

  save(account: string, token: string): void {
    this.tokens.set(account, token);
  }

  list(): string[] {
    return [...this.tokens.keys()];
  }

  delete(): void {
    throw new Failure('accounts-kept', 'delete must be enabled in server config');
  }
}

/** Questions to a server of accounts at a time: anybody may name an account, and each name is one. Others are refused at once. */
const FETCHES_MAX = 256;

/** A server that answers `GET <url><account>`. */
class UrlStore implements AccountStore {
  readonly kind = 'url';
  private readonly url: string;
  private readonly timeoutMs: number;
  private fetches = 0;
  private readonly tls: ResolverTls | null;
  /** What was told since, which counts more. */
  private readonly updated = new MemoryStore();

  constructor({ url, timeoutMs, tls }: Extract<ResolverOptions, { kind: 'url' }>) {
    this.url = url.endsWith('/') ? url : `${url}/`;
    this.timeoutMs = timeoutMs;
    this.tls = tls;
  }

  fetch(account: string): string | null | Promise<string | null> {
    return this.updated.fetch(account) ?? this.get(account);
  }

  save(account: string, token: string): void {
    this.updated.save(account, token);
  }

  list(): string[] {
    return [];
  }

  delete(): void {
    this.updated.delete();
  }

  private async get(account: string): Promise<string | null> {
    if (this.fetches >= FETCHES_MAX) throw new Failure('account-fetch', `${FETCHES_MAX} accounts are being fetched`);
    this.fetches++;
    const { status, text } = await this.ask(this.url + account).finally(() => this.fetches--);
    if (status === 404) return null;
    if (status < 200 || status > 299) throw new Failure('account-fetch', `could not fetch <${this.url}>: ${status}`);
    return text.trim();
  }

  private async ask(url: string): Promise<{ status: number; text: string }> {
    const { tls, timeoutMs } = this;
    if (tls !== null && url.startsWith('https:')) {
      const { httpsGet } = await import('./https-get.js');
      return httpsGet(url, { tls, timeoutMs });
    }
    const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    return { status: answer.status, text: answer.ok ? await answer.text() : '' };
  }
}

/** A folder with a file for each account. */
class DirectoryStore implements AccountStore {
  readonly kind = 'directory';
  private readonly options: Extract<ResolverOptions, { kind: 'directory' }>;

  constructor(options: Extract<ResolverOptions, { kind: 'directory' }>) {
    this.options = options;
    mkdirSync(options.folder, { recursive: true });
  }

  fetch(account: string): string | null {
    if (!isKey('account', account)) return null;
    try {
      return readFileSync(this.path(account), 'utf8').trim();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  save(account: string, token: string): void {
    const { accountsMax } = this.options;
    if (accountsMax > 0 && this.fetch(account) === null && this.list().length >= accountsMax)
      throw new Failure('accounts-full', 'jwt store is full');
    // A file is there as a whole or not at all.
    const path = this.path(account);
    writeFileSync(`${path}.new`, token, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  list(): string[] {
    return readdirSync(this.options.folder)
      .filter((name) => name.endsWith('.jwt'))
      .map((name) => name.slice(0, -4))
      .filter((name) => isKey('account', name));
  }

  delete(account: string): void {
    const { mayDelete, deleteForGood } = this.options;
    if (!mayDelete) throw new Failure('accounts-kept', 'delete must be enabled in server config');
    const path = this.path(account);
    if (deleteForGood) unlinkSync(path);
    else renameSync(path, `${path}.deleted`);
  }

  private path(account: string): string {
    return join(this.options.folder, `${account}.jwt`);
  }
}
