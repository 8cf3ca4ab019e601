import type { CalloutSettings } from '../auth/authenticator.js';
import { GLOBAL_ACCOUNT } from '../auth/identity.js';
import { isKey } from '../auth/nkey.js';
import type { ConfigValue } from './grammar.js';
import { keys, readBlock, set } from './key-table.js';
import { configError } from './place.js';
import { map, text, texts } from './values.js';

type CalloutDraft = { -readonly [K in keyof CalloutSettings]: CalloutSettings[K] };

const table = keys<CalloutDraft>({
  issuer: (callout, value, key) => {
    callout.issuer = text(value, key);
    if (!isKey('account', callout.issuer))
      throw configError(
        value.place,
        `Expected callout user to be a valid public account nkey, got ${JSON.stringify(callout.issuer)}`,
      );
  },
  'account|acc': set('account', text),
  'auth_users|users': set('users', texts),
  'xkey|key': (callout, value, key) => {
    callout.xkey = text(value, key);
    if (!isKey('curve', callout.xkey))
      throw configError(
        value.place,
        `Expected callout xkey to be a valid public xkey, got ${JSON.stringify(callout.xkey)}`,
      );
  },
  allowed_accounts: set('accounts', texts),
});

/** Reads `auth_callout { … }`. */
export function readCallout(value: ConfigValue, key: string): CalloutSettings {
  const empty: CalloutDraft = { issuer: '', account: GLOBAL_ACCOUNT, users: [], accounts: [], xkey: '' };
  const callout = readBlock(map(value, key), table, empty);
  if (callout.issuer === '') throw configError(value.place, 'Authorization callouts require an issuer to be specified');
  if (callout.users.length === 0)
    throw configError(value.place, 'Authorization callouts require authorized users to be specified');
  return callout;
}
