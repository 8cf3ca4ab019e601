import { createHash, timingSafeEqual } from 'node:crypto';
import type { Authentication, ConnectionFacts, Credentials, Verdict } from './authentication.js';
import { userOfCertificate } from './certificate-name.js';
import { type ConnectionType, GLOBAL_ACCOUNT, type Identity, identityOf } from './identity.js';
import { verifyKey } from './nkey.js';
import { PasswordChecker } from './password-checker.js';
import { type PermissionRules, Permissions } from './permissions.js';

/** One user: a name with a password, plain or a bcrypt hash (`$2a$…`), or a public key. */
export interface UserSettings {
  /** The name, or the public key again. */
  name: string;
  password: string;
  /** A public user key: its owner signs what the server says. */
  nkey?: string;
  permissions?: PermissionRules;
  /** `$G` when absent. */
  account?: string;
  /** How it may come in; any way when absent. */
  connectionTypes?: readonly ConnectionType[];
}

/** Who may come in. All absent: everybody. */
export interface AuthorizationSettings {
  token?: string;
  users: readonly UserSettings[];
  /** The user that a client without credentials is taken for. */
  noAuthUser?: string;
  /** A service that is asked about everybody but the users that it names. */
  callout?: CalloutSettings;
  /** Who says nothing is in `$G`, since all the users there are belong to the system. */
  openGlobal?: boolean;
}

/** Whom to ask about who comes in. */
export interface CalloutSettings {
  /** A public account key: it signs the answers. */
  issuer: string;
  /** Where the service is. */
  account: string;
  /** Users that the server itself knows. */
  users: readonly string[];
  /** Accounts whose users are asked about; empty is all. */
  accounts: readonly string[];
  /** A public curve key to encrypt requests for; empty is none. */
  xkey: string;
}

/** A user, and who that is: made when it first comes in, since most of many users never do. */
class User {
  readonly settings: UserSettings;
  private readonly shared: SharedPermissions;
  private made: Identity | null = null;

  constructor(settings: UserSettings, shared: SharedPermissions) {
    this.settings = settings;
    this.shared = shared;
  }

  get identity(): Identity {
    const { name, account = GLOBAL_ACCOUNT, permissions } = this.settings;
    this.made ??= identityOf(name, account, permissions === undefined ? null : this.shared.of(permissions));
    return this.made;
  }
}

/** Users to whom the same rules apply share their permissions. */
class SharedPermissions {
  private readonly made = new Map<string, Permissions>();

  of(rules: PermissionRules): Permissions {
    const key = JSON.stringify(rules);
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const permissions = new Permissions(rules);
    this.made.set(key, permissions);
    return permissions;
  }
}

const ANYBODY = identityOf('', GLOBAL_ACCOUNT, null);

/** Credentials to identity, by the users of the configuration. Sends nothing, knows no connection. */
export class Authenticator implements Authentication {
  private readonly token: string | null;
  private readonly users = new Map<string, User>();
  private readonly keys = new Map<string, User>();
  private readonly noAuthUser: Identity | null;
  private readonly openGlobal: boolean;
  private readonly passwords = new PasswordChecker();

  constructor(settings: AuthorizationSettings) {
    this.token = settings.token ?? null;
    this.openGlobal = settings.openGlobal ?? false;
    const shared = new SharedPermissions();
    for (const user of settings.users)
      (user.nkey === undefined ? this.users : this.keys).set(user.name, new User(user, shared));
    const unnamed = this.users.get(settings.noAuthUser ?? '') ?? this.keys.get(settings.noAuthUser ?? '');
    this.noAuthUser = unnamed?.identity ?? (this.openGlobal ? ANYBODY : null);
  }

  get required(): boolean {
    return this.guarded && this.noAuthUser === null;
  }

  get guarded(): boolean {
    return this.token !== null || this.users.size + this.keys.size > 0;
  }

  get announced(): boolean {
    return this.required || this.openGlobal;
  }

  get nonceRequired(): boolean {
    return this.keys.size > 0;
  }

  authenticate(credentials: Credentials, facts: ConnectionFacts): Verdict {
    const { users, keys, token: expected } = this;
    const { user: name, password, token, nkey } = credentials;
    if (expected === null && users.size + keys.size === 0) return ANYBODY;
    if (expected !== null) return this.check(token, expected, ANYBODY);
    if (nkey !== '' && keys.size > 0) return this.checkKey(credentials, facts);
    if (facts.certificate !== null && users.size > 0) return this.ofCertificate(facts);
    if (name === '' && password === '' && token === '' && this.noAuthUser !== null) return this.noAuthUser;
    const user = users.get(name);
    // An unknown user takes as long as a wrong password.
    if (user === undefined || !mayUse(user, facts)) {
      constantTimeEqual(password, name);
      return null;
    }
    return this.check(password, user.settings.password, user.identity);
  }

  /** Saves checking a bcrypt hash of everybody on a reload: a password that has not changed needs not be asked for again. */
  knownFrom(before: Authentication, { userName }: Identity): Identity | undefined {
    if (!(before instanceof Authenticator)) return undefined;
    const user = this.users.get(userName);
    const same =
      user !== undefined &&
      isBcrypt(user.settings.password) &&
      before.users.get(userName)?.settings.password === user.settings.password;
    return same && this.token === null && before.token === null ? user.identity : undefined;
  }

  /** Ends the password worker. */
  close(): Promise<void> {
    return this.passwords.close();
  }

  private checkKey({ nkey, signature }: Credentials, facts: ConnectionFacts): Identity | null {
    const user = this.keys.get(nkey);
    if (user === undefined || !mayUse(user, facts)) return null;
    const why = whyNotSigned(nkey, signature, facts.nonce);
    if (why === null) return user.identity;
    facts.note(why);
    return null;
  }

  private ofCertificate({ certificate, ...facts }: ConnectionFacts): Identity | null {
    const name = userOfCertificate(certificate!, this.users);
    const user = name === null ? undefined : this.users.get(name)!;
    if (user !== undefined && mayUse(user, facts)) return user.identity;
    facts.note(`User in cert [${JSON.stringify(certificate!.subject.toReversed().join(','))}], not found`);
    return null;
  }

  private check(given: string, expected: string, identity: Identity): Verdict {
    if (!isBcrypt(expected)) return constantTimeEqual(given, expected) ? identity : null;
    return this.passwords.matches(given, expected).then((matches) => (matches ? identity : null));
  }
}

function mayUse({ settings: { connectionTypes } }: User, { type }: Pick<ConnectionFacts, 'type'>): boolean {
  return connectionTypes === undefined || connectionTypes.includes(type);
}

/** Why the signature does not prove that the owner of the key saw the nonce, or null when it does. */
export function whyNotSigned(nkey: string, signature: string, nonce: string): string | null {
  if (signature === '' || nonce === '') return 'Signature missing';
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(signature)) return 'Signature not valid base64';
  // Takes both alphabets of base64.
  return verifyKey('user', nkey, Buffer.from(nonce), Buffer.from(signature, 'base64url'))
    ? null
    : 'Signature not verified';
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
