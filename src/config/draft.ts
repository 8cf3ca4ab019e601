import type { MappingSettings } from '../broker/account-settings.js';
import type { AccountDraft } from './account-draft.js';
import type { ConfigValue } from './grammar.js';
import type { Apply } from './key-table.js';
import type { OperatorDraft } from './operator-draft.js';
import type { Options } from './options.js';
import { type Place, placeText } from './place.js';
import type { Read } from './values.js';

/** Options while their file is being read, with what can only be judged when all of it was read. */
export interface Draft {
  options: Options;
  /** Certificates and keys are read with the configuration, so that a test of the configuration finds their mistakes. */
  readFile(path: string): string;
  /** Attachments as written; the host's schema checks them. */
  attachments: { name: string; definition: unknown; place: Place }[];
  /** Whether the file says how long a client may take to log in: otherwise TLS gives it longer. */
  authTimeoutSet: boolean;
  /** Whether the file says how much may wait for a client. */
  pendingSet: boolean;
  /** Whether the file says how long to wait awake. */
  busyPollSet: boolean;
  /** Whether there is an `authorization` block. */
  authorizationSet: boolean;
  operator: OperatorDraft;
  systemAccountSet: boolean;
  /** Where the file names a cookie with a JWT. */
  jwtCookiePlace: Place | null;
  /** Accounts as their blocks say them. */
  accounts: AccountDraft[];
  /** Mappings of the account of those whom nothing puts elsewhere. */
  mappings: MappingSettings[];
  /** Whether there is a list of users, rather than one user or none. */
  usersListed: boolean;
  /** The login of `websocket { authorization { … } }`. */
  websocketLogin: { user: string; password: string; token: string };
}

/** Sets a field of the options. */
export function option<K extends keyof Options>(field: K, read: Read<Options[K]>): Apply<Draft> {
  return ({ options }, value, key) => {
    options[field] = read(value, key);
  };
}

/** Sets a field of the log's options. */
export function logOption<K extends keyof Options['log']>(field: K, read: Read<Options['log'][K]>): Apply<Draft> {
  return ({ options }, value, key) => {
    options.log[field] = read(value, key);
  };
}

/** Notes a number of seconds where nats-server wants a duration; it is taken all the same. */
export function warnAboutSeconds({ options }: Draft, value: ConfigValue, key: string): void {
  if (value.kind !== 'number') return;
  const place = placeText(value.place);
  options.warnings.push(
    `${place}: invalid use of field ${JSON.stringify(key)}: ${key} should be converted to a duration`,
  );
}
