import type { AuthorizationSettings, UserSettings } from '../auth/authenticator.js';
import type { PermissionRules, ResponseRules, SubjectRules } from '../auth/permissions.js';
import { isFilter } from '../subject/subject.js';
import type { Draft } from './draft.js';
import type { ConfigMap, ConfigValue } from './grammar.js';
import { type KeyTable, keys, readBlock, set, unsupported } from './key-table.js';
import { configError } from './place.js';
import { durationMs, map, maps, parseDuration, text, texts, whole } from './values.js';

interface Login {
  user: string;
  password: string;
  token: string;
  users: UserSettings[] | null;
  defaults: PermissionRules | null;
  timeoutMs: number | null;
}

const RESPONSES: ResponseRules = { max: 1, expiresMs: 120_000 };

function filters(value: ConfigValue, key: string): string[] {
  const list = texts(value, key);
  for (const item of list) {
    if (!isFilter(item.trim().split(/\s+/)[0]))
      throw configError(value.place, `subject ${JSON.stringify(item)} is not a valid subject`);
  }
  return list;
}

const subjectTable = keys<SubjectRules>({
  allow: (rules, value, key) => {
    rules.allow = filters(value, key);
  },
  deny: (rules, value, key) => {
    rules.deny = filters(value, key);
  },
});

/** A subject, a list of subjects, or `{ allow, deny }`. */
function subjectRules(value: ConfigValue, key: string): SubjectRules {
  return value.kind === 'map' ? readBlock(value, subjectTable, {} as SubjectRules) : { allow: filters(value, key) };
}

const responseTable = keys<ResponseRules>({
  'max|max_msgs|max_messages|max_responses': (rules, value, key) => {
    rules.max = whole(-1, 2 ** 31)(value, key) || RESPONSES.max;
  },
  'expires|expiration|ttl': (rules, value, key) => {
    const text = value.kind === 'string' ? parseDuration(String(value.value)) : null;
    rules.expiresMs = (text ?? durationMs(value, key)) || RESPONSES.expiresMs;
  },
});

const permissionTable = keys<PermissionRules>({
  'pub|publish|import': (rules, value, key) => {
    rules.publish = subjectRules(value, key);
  },
  'sub|subscribe|export': (rules, value, key) => {
    rules.subscribe = subjectRules(value, key);
  },
  'publish_allow_responses|allow_responses': (rules, value) => {
    if (value.kind === 'boolean') {
      if (value.value === true) rules.responses = { ...RESPONSES };
    } else rules.responses = readBlock(map(value, 'allow_responses'), responseTable, { ...RESPONSES });
  },
});

function permissions(value: ConfigValue, key: string): PermissionRules {
  return readBlock(map(value, key), permissionTable, {} as PermissionRules);
}

const userTable: KeyTable<UserSettings> = {
  ...keys<UserSettings>({
    'user|username': set('name', text),
    'pass|password': set('password', text),
    'permission|permissions|authorization': (user, value, key) => {
      user.permissions = permissions(value, key);
    },
  }),
  ...unsupported<UserSettings>('nkey allowed_connection_types connection_types clients proxy_required'),
};

function user(block: ConfigMap): UserSettings {
  const settings = readBlock(block, userTable, { name: '', password: '' });
  if (settings.name === '') throw configError(block.place, 'User entry requires a user');
  return settings;
}

const loginTable: KeyTable<Login> = {
  ...keys<Login>({
    'user|username': set('user', text),
    'pass|password': set('password', text),
    token: set('token', text),
    timeout: set('timeoutMs', durationMs),
    users: (login, value, key) => {
      login.users = maps(value, key).map(user);
    },
    'default_permission|default_permissions|permissions': (login, value, key) => {
      login.defaults = permissions(value, key);
    },
  }),
  ...unsupported<Login>('auth_callout auth_hook proxy_required'),
};

/** What does not go together, in nats-server's words. */
function whyNot({ user: name, password, token, users }: Login): string | null {
  if ((name !== '' || password !== '') && token !== '') return 'Cannot have a user/pass and token';
  if (users === null) return null;
  if (name !== '') return 'Can not have a single user/pass and a users array';
  if (token !== '') return 'Can not have a token and a users array';
  const names = users.map((entry) => entry.name);
  const twice = names.find((entry, i) => names.indexOf(entry) !== i);
  return twice === undefined ? null : `Duplicate user ${JSON.stringify(twice)} detected`;
}

/** Reads `authorization { … }`. */
export function readAuthorization(draft: Draft, value: ConfigValue, key: string): void {
  const { options } = draft;
  const empty: Login = { user: '', password: '', token: '', users: null, defaults: null, timeoutMs: null };
  const login = readBlock(map(value, key), loginTable, empty);
  const refusal = whyNot(login);
  if (refusal !== null) throw configError(value.place, refusal);
  const { user: name, password, token, users, defaults, timeoutMs } = login;
  const settings: AuthorizationSettings = { users: users ?? (name === '' ? [] : [{ name, password }]) };
  if (token !== '') settings.token = token;
  if (defaults !== null) settings.defaultPermissions = defaults;
  if (options.authorization.noAuthUser !== undefined) settings.noAuthUser = options.authorization.noAuthUser;
  options.authorization = settings;
  draft.usersListed = users !== null && users.length > 0;
  if (timeoutMs === null) return;
  options.authTimeoutMs = timeoutMs;
  draft.authTimeoutSet = true;
}
