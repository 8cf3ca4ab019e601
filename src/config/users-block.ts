import type { UserSettings } from '../auth/authenticator.js';
import type { ConnectionType } from '../auth/identity.js';
import { isKey } from '../auth/nkey.js';
import type { ConfigMap, ConfigValue } from './grammar.js';
import { type KeyTable, keys, readBlock, set, unsupported } from './key-table.js';
import { permissions } from './permissions-block.js';
import { configError } from './place.js';
import { maps, type Read, text, texts } from './values.js';

const TYPES: readonly ConnectionType[] = [
  'STANDARD',
  'WEBSOCKET',
  'LEAFNODE',
  'LEAFNODE_WS',
  'MQTT',
  'MQTT_WS',
  'IN_PROCESS',
];

const connectionTypes: Read<ConnectionType[]> = (value, key) =>
  texts(value, key).map((name) => {
    const type = TYPES.find((candidate) => candidate === name.toUpperCase());
    if (type !== undefined) return type;
    throw configError(value.place, `unknown connection type ${JSON.stringify(name)}`);
  });

const userTable: KeyTable<UserSettings> = {
  ...keys<UserSettings>({
    nkey: set('nkey', text),
    'user|username': set('name', text),
    'pass|password': set('password', text),
    'permission|permissions|authorization': (user, value, key) => {
      user.permissions = permissions(value, key);
    },
    'allowed_connection_types|connection_types|clients': set('connectionTypes', connectionTypes),
  }),
  ...unsupported<UserSettings>('proxy_required'),
};

function user(block: ConfigMap): UserSettings {
  const settings = readBlock<UserSettings>(block, userTable, { name: '', password: '' });
  const { name, password, nkey } = settings;
  if (name === '' && nkey === undefined) throw configError(block.place, 'User entry requires a user');
  if (nkey === undefined) return settings;
  if (!isKey('user', nkey)) throw configError(block.place, 'Not a valid public nkey for a user');
  if (name !== '' || password !== '') throw configError(block.place, 'Nkey users do not take usernames or passwords');
  return { ...settings, name: nkey };
}

/** Reads a list of users. */
export function readUsers(value: ConfigValue, key: string): UserSettings[] {
  return maps(value, key).map(user);
}

/** Says which user is listed twice, or null. */
export function whyNotTwice(users: readonly UserSettings[]): string | null {
  const seen = new Set<string>();
  for (const { name, nkey } of users) {
    if (seen.has(name)) return `Duplicate ${nkey === undefined ? 'user' : 'nkey'} ${JSON.stringify(name)} detected`;
    seen.add(name);
  }
  return null;
}
