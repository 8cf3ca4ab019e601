import type { AuthorizationSettings, CalloutSettings, UserSettings } from '../auth/authenticator.js';
import type { PermissionRules } from '../auth/permissions.js';
import { readCallout } from './callout-block.js';
import type { Draft } from './draft.js';
import type { ConfigValue } from './grammar.js';
import { type KeyTable, keys, readBlock, set, unsupported } from './key-table.js';
import { permissions } from './permissions-block.js';
import { configError } from './place.js';
import { readUsers, whyNotTwice } from './users-block.js';
import { durationMs, map, text } from './values.js';

interface Login {
  user: string;
  password: string;
  token: string;
  users: UserSettings[] | null;
  defaults: PermissionRules | null;
  callout: CalloutSettings | null;
  timeoutMs: number | null;
}

const loginTable: KeyTable<Login> = {
  ...keys<Login>({
    'user|username': set('user', text),
    'pass|password': set('password', text),
    token: set('token', text),
    timeout: set('timeoutMs', durationMs),
    users: (login, value, key) => {
      login.users = readUsers(value, key);
    },
    'auth_callout|auth_hook': (login, value, key) => {
      login.callout = readCallout(value, key);
    },
    'default_permission|default_permissions|permissions': (login, value, key) => {
      login.defaults = permissions(value, key);
    },
  }),
  ...unsupported<Login>('proxy_required'),
};

/** What does not go together, in nats-server's words. */
function whyNot({ user: name, password, token, users }: Login): string | null {
  if ((name !== '' || password !== '') && token !== '') return 'Cannot have a user/pass and token';
  if (users === null) return null;
  if (name !== '') return 'Can not have a single user/pass and a users array';
  if (token !== '') return 'Can not have a token and a users array';
  return whyNotTwice(users);
}

/** Reads `authorization { … }`. */
export function readAuthorization(draft: Draft, value: ConfigValue, key: string): void {
  const { options } = draft;
  const empty: Login = {
    user: '',
    password: '',
    token: '',
    users: null,
    defaults: null,
    callout: null,
    timeoutMs: null,
  };
  const login = readBlock(map(value, key), loginTable, empty);
  const refusal = whyNot(login);
  if (refusal !== null) throw configError(value.place, refusal);
  const { user: name, password, token, users, defaults, timeoutMs } = login;
  draft.authorizationSet = true;
  const own = users ?? (name === '' ? [] : [{ name, password }]);
  const settings: AuthorizationSettings = {
    users: defaults === null ? own : own.map((user) => ({ permissions: defaults, ...user })),
  };
  if (token !== '') settings.token = token;
  if (login.callout !== null) settings.callout = login.callout;
  if (options.authorization.noAuthUser !== undefined) settings.noAuthUser = options.authorization.noAuthUser;
  options.authorization = settings;
  draft.usersListed = users !== null && users.length > 0;
  if (timeoutMs === null) return;
  options.authTimeoutMs = timeoutMs;
  draft.authTimeoutSet = true;
}
