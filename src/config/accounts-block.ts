import { GLOBAL_ACCOUNT } from '../auth/identity.js';
import { isKey } from '../auth/nkey.js';
import { type AccountLimits, emptyAccount, NO_LIMITS } from '../broker/account-settings.js';
import { isLiteralSubject } from '../subject/subject.js';
import type { AccountDraft } from './account-draft.js';
import { type AccountJetStream, readAccountJetStream } from './accounts-jetstream.js';
import { readExports, readImports } from './accounts-links.js';
import { readMappings } from './accounts-mappings.js';
import type { Draft } from './draft.js';
import type { ConfigMap, ConfigValue } from './grammar.js';
import { type KeyTable, keys, readBlock, set } from './key-table.js';
import { permissions } from './permissions-block.js';
import { configError, type Place } from './place.js';
import { readUsers } from './users-block.js';
import { map, type Read, text, whole } from './values.js';

const limit = whole(-1, 2 ** 53 - 1);
const limitTable = keys<AccountLimits>({
  'max_connections|max_conn': set('connectionsMax', limit),
  'max_subscriptions|max_subs': set('subscriptionsMax', limit),
  'max_payload|max_pay': set('payloadBytesMax', limit),
  'max_leafnodes|max_leafs': set('leafNodesMax', limit),
});

/** As in nats-server, 0 says nothing. */
const limits: Read<AccountLimits> = (value, key) => {
  const read = readBlock(map(value, key), limitTable, { ...NO_LIMITS });
  for (const name of Object.keys(read) as (keyof AccountLimits)[]) if (read[name] === 0) read[name] = -1;
  return read;
};

type Trace = NonNullable<AccountDraft['trace']>;

const traceDest: Read<string> = (value, key) => {
  const dest = text(value, key);
  if (isLiteralSubject(dest)) return dest;
  throw configError(value.place, `Trace destination ${JSON.stringify(dest)} is not valid`);
};

/** Of a hundred messages: a number, or one with `%`. */
const sampling: Read<number> = (value, key) => {
  const written = value.kind === 'number' ? String(value.value) : text(value, key).replace(/%$/, '');
  const quoted = JSON.stringify(written);
  if (!/^-?\d+$/.test(written)) throw configError(value.place, `Invalid trace destination sampling value ${quoted}`);
  const percent = Number(written);
  if (percent >= 1 && percent <= 100) return percent;
  throw configError(
    value.place,
    `Trace destination sampling value ${percent} is invalid, needs to be between 1 and 100`,
  );
};

const traceTable = keys<Trace>({ dest: set('dest', traceDest), sampling: set('sampling', sampling) });

const trace: Read<Trace | null> = (value, key) => {
  if (value.kind !== 'map') return { dest: traceDest(value, key), sampling: 100 };
  const read = readBlock(value, traceTable, { dest: '', sampling: 100 });
  // As in nats-server, a share of nothing is no mistake.
  return read.dest === '' ? null : read;
};

const table: KeyTable<AccountDraft> = keys<AccountDraft>({
  nkey: (account, value, key) => {
    account.nkey = text(value, key);
    if (!isKey('account', account.nkey))
      throw configError(value.place, `Not a valid public nkey for an account: ${JSON.stringify(account.nkey)}`);
  },
  imports: (account, value) => {
    account.imports = readImports(value);
  },
  exports: (account, value) => {
    account.exports = readExports(value);
  },
  jetstream: set('jetstream', readAccountJetStream),
  users: set('users', readUsers),
  default_permissions: (account, value, key) => {
    account.defaults = permissions(value, key);
  },
  'mappings|maps': set('mappings', readMappings),
  limits: set('limits', limits),
  'msg_trace|trace_dest': set('trace', trace),
});

function newDraft(name: string, place: Place): AccountDraft {
  return {
    ...emptyAccount(name),
    ...{ nkey: '', jetstream: null as AccountJetStream | null, users: [], defaults: null, place },
    ...{ exports: [], imports: [] },
  };
}

function checkName(draft: Draft, name: string, place: Place): void {
  if (name === GLOBAL_ACCOUNT) throw configError(place, `${JSON.stringify(name)} is a Reserved Account`);
  if (draft.accounts.some((account) => account.name === name))
    throw configError(place, `Duplicate Account Entry: ${name}`);
}

/** Reads `accounts { A { … } }`, or a list of names. */
export function readAccounts(draft: Draft, value: ConfigValue, key: string): void {
  if (value.kind === 'array') {
    for (const item of value.items) {
      const name = text(item, key);
      checkName(draft, name, item.place);
      draft.accounts.push(newDraft(name, item.place));
    }
    return;
  }
  for (const [name, { value: block, keyPlace, usedAsVariable }] of map(value, key).entries) {
    if (usedAsVariable) continue;
    if (block.kind !== 'map') throw configError(block.place, 'Expected map entries for accounts');
    checkName(draft, name, keyPlace);
    draft.accounts.push(readAccount(name, block));
  }
}

function readAccount(name: string, block: ConfigMap): AccountDraft {
  const account = readBlock(block, table, newDraft(name, block.place));
  const { users, defaults } = account;
  account.users = users.map((user) => ({ ...(defaults && { permissions: defaults }), ...user, account: name }));
  return account;
}
