import type { AuthorizationSettings, UserSettings } from '../auth/authenticator.js';
import type { PermissionRules, ResponseRules, SubjectRules } from '../auth/permissions.js';
import { isFilter } from '../subject/subject.js';
import { type ConfigMap, type ConfigValue, configError } from './grammar.js';
import type { Options } from './options.js';
import {
  durationMs,
  flag,
  type KeyTable,
  keys,
  map,
  maps,
  readBlock,
  text,
  texts,
  unsupported,
  whole,
} from './values.js';

interface Draft {
  user?: string;
  password?: string;
  token?: string;
  users: UserSettings[];
  defaults?: PermissionRules;
  timeoutMs?: number;
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
    rules.max = whole(-1, 2 ** 31)(value, key);
  },
  'expires|expiration|ttl': (rules, value, key) => {
    rules.expiresMs = durationMs(value, key);
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
    'user|username': (user, value, key) => {
      user.name = text(value, key);
    },
    'pass|password': (user, value, key) => {
      user.password = text(value, key);
    },
    'permission|permissions|authorization': (user, value, key) => {
      user.permissions = permissions(value, key);
    },
  }),
  ...unsupported<UserSettings>('nkey allowed_connection_types connection_types clients proxy_required'),
};

function user(block: ConfigMap): UserSettings {
  const settings = readBlock(block, userTable, { name: '', password: '' });
  if (settings.name === '') throw configError(block.place, 'a user needs "user"');
  return settings;
}

const authorizationTable: KeyTable<Draft> = {
  ...keys<Draft>({
    'user|username': (draft, value, key) => {
      draft.user = text(value, key);
    },
    'pass|password': (draft, value, key) => {
      draft.password = text(value, key);
    },
    token: (draft, value, key) => {
      draft.token = text(value, key);
    },
    timeout: (draft, value, key) => {
      draft.timeoutMs = durationMs(value, key);
    },
    users: (draft, value, key) => {
      draft.users = maps(value, key).map(user);
    },
    'default_permission|default_permissions|permissions': (draft, value, key) => {
      draft.defaults = permissions(value, key);
    },
    proxy_required: (_, value, key) => {
      if (flag(value, key))
        throw configError(value.place, `${JSON.stringify(key)} is not supported yet by this server`);
    },
  }),
  ...unsupported<Draft>('auth_callout auth_hook'),
};

/** Reads `authorization { … }` into the options. */
export function readAuthorization(options: Options, value: ConfigValue, key: string): void {
  const draft: Draft = readBlock(map(value, key), authorizationTable, { users: [] });
  const { user: name, password = '', token, users, defaults } = draft;
  const ways = [token !== undefined, name !== undefined, users.length > 0].filter(Boolean).length;
  if (ways > 1) throw configError(value.place, 'Can not have a token, a single user/pass and a users array together');
  const names = users.map((entry) => entry.name);
  const twice = names.find((entry, i) => names.indexOf(entry) !== i);
  if (twice !== undefined) throw configError(value.place, `Duplicate user ${JSON.stringify(twice)} detected`);
  const settings: AuthorizationSettings = { users: name === undefined ? users : [{ name, password }] };
  if (token !== undefined) settings.token = token;
  if (defaults !== undefined) settings.defaultPermissions = defaults;
  if (options.authorization.noAuthUser !== undefined) settings.noAuthUser = options.authorization.noAuthUser;
  options.authorization = settings;
  if (draft.timeoutMs !== undefined) options.authTimeoutMs = draft.timeoutMs;
}
