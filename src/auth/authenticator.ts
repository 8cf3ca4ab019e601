import { createHash, timingSafeEqual } from 'node:crypto';
import type { Identity } from './identity.js';
import { PasswordChecker } from './password-checker.js';
import { type PermissionRules, Permissions } from './permissions.js';

/** What a client showed in CONNECT; an absent part is empty. */
export interface Credentials {
  user: string;
  password: string;
  token: string;
  nkey: string;
  jwt: string;
  signature: string;
}

/** Where the client came in. */
export interface ConnectionFacts {
  kind: 'client' | 'websocket';
}

/** One user. A password may be plain or a bcrypt hash (`$2a$…`). */
export interface UserSettings {
  name: string;
  password: string;
  permissions?: PermissionRules;
}

/** Who may come in. All absent: everybody. */
export interface AuthorizationSettings {
  token?: string;
  users: readonly UserSettings[];
  /** The user that a client without credentials is taken for. */
  noAuthUser?: string;
  defaultPermissions?: PermissionRules;
}

interface User {
  readonly password: string;
  readonly identity: Identity;
}

const ANYBODY: Identity = { userName: '', permissions: null };

/** Credentials to identity. Sends nothing, knows no connection. */
export class Authenticator {
  private readonly token: string | null;
  private readonly users = new Map<string, User>();
  private readonly noAuthUser: User | null;
  private readonly passwords = new PasswordChecker();

  constructor(settings: AuthorizationSettings) {
    this.token = settings.token ?? null;
    const defaults = settings.defaultPermissions && new Permissions(settings.defaultPermissions);
    for (const { name, password, permissions } of settings.users) {
      const own = permissions === undefined ? (defaults ?? null) : new Permissions(permissions);
      this.users.set(name, { password, identity: { userName: name, permissions: own } });
    }
    this.noAuthUser = (settings.noAuthUser !== undefined && this.users.get(settings.noAuthUser)) || null;
  }

  /** Whether a client must say who it is before it may do anything. */
  get required(): boolean {
    return (this.token !== null || this.users.size > 0) && this.noAuthUser === null;
  }

  /**
   * The identity that the credentials prove, or null. A promise only when a bcrypt hash must be checked, which happens off the event
   * loop.
   */
  authenticate(credentials: Credentials, _facts: ConnectionFacts): Identity | null | Promise<Identity | null> {
    if (this.token === null && this.users.size === 0) return ANYBODY;
    const { user: name, password, token } = credentials;
    if (this.token !== null) return this.check(token, this.token, ANYBODY);
    if (name === '' && password === '' && token === '' && this.noAuthUser !== null) return this.noAuthUser.identity;
    const user = this.users.get(name);
    // An unknown user takes as long as a wrong password.
    if (user === undefined) {
      constantTimeEqual(password, name);
      return null;
    }
    return this.check(password, user.password, user.identity);
  }

  /**
   * The present identity of a user whom the authenticator before this one let in with a password that has not changed since; undefined
   * when the user has to be asked again. Saves checking a bcrypt hash of everybody on a reload.
   */
  knownFrom(before: Authenticator, { userName }: Identity): Identity | undefined {
    const user = this.users.get(userName);
    const same =
      user !== undefined && isBcrypt(user.password) && before.users.get(userName)?.password === user.password;
    return same && this.token === null && before.token === null ? user.identity : undefined;
  }

  /** Ends the password worker. */
  close(): Promise<void> {
    return this.passwords.close();
  }

  private check(given: string, expected: string, identity: Identity): Identity | null | Promise<Identity | null> {
    if (!isBcrypt(expected)) return constantTimeEqual(given, expected) ? identity : null;
    return this.passwords.matches(given, expected).then((matches) => (matches ? identity : null));
  }
}

/** Whether a configured password is a bcrypt hash. */
export function isBcrypt(password: string): boolean {
  return /^\$2[abxy]\$\d\d\$/.test(password);
}

/** Compares in a time that says nothing about where two texts differ, nor about their lengths. */
function constantTimeEqual(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
