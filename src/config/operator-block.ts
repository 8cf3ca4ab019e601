import { decodeAccountClaims } from '../auth/account-claims.js';
import { textOf, textsOf } from '../auth/json-fields.js';
import { decodeJwt } from '../auth/jwt.js';
import { isKey } from '../auth/nkey.js';
import { decodeUserClaims } from '../auth/user-claims.js';
import { describe, Failure } from '../base/failure.js';
import type { Draft } from './draft.js';
import type { ConfigMap, ConfigValue } from './grammar.js';
import { type Apply, keys, readBlock, set } from './key-table.js';
import type { OperatorDraft } from './operator-draft.js';
import type { OperatorOptions, ResolverOptions } from './options.js';
import { configError, type Place } from './place.js';
import { readResolverTls } from './resolver-tls.js';
import { durationMs, flag, map, text, texts, whole } from './values.js';

/** Accounts are waited for no longer. */
const FETCH_TIMEOUT_MS = 1_900;

const operator: Apply<Draft> = ({ operator: draft, readFile }, value, key) => {
  draft.operators = texts(value, key).map((entry) => {
    try {
      return decodeJwt(tokenOf(entry, readFile), 'operator');
    } catch (error) {
      throw configError(value.place, `error parsing operator JWT: ${describe(error)}`);
    }
  });
};

/** A JWT as it is, or in a file, perhaps between lines of dashes. */
function tokenOf(entry: string, readFile: (path: string) => string): string {
  const written = entry.startsWith('eyJ') ? entry : readFile(entry);
  const [, decorated] = /-{3,}BEGIN [^-]+JWT-{3,}\s*([\w.-]+)\s*-{3,}END/.exec(written) ?? [];
  return decorated ?? written.trim();
}

const directoryTable = keys<{ type: string } & Extract<ResolverOptions, { kind: 'directory' }>>({
  type: set('type', text),
  dir: set('folder', text),
  allow_delete: set('mayDelete', flag),
  hard_delete: set('deleteForGood', flag),
  limit: set('accountsMax', whole(0, 2 ** 31)),
  timeout: set('timeoutMs', durationMs),
  // Of a cluster: what others have, and how long it is believed.
  interval: (_, value, key) => void durationMs(value, key),
  ttl: (_, value, key) => void durationMs(value, key),
});

function directory(block: ConfigMap): ResolverOptions {
  const { type, ...read } = readBlock(block, directoryTable, {
    kind: 'directory',
    type: '',
    folder: '',
    mayDelete: false,
    deleteForGood: false,
    accountsMax: 0,
    timeoutMs: FETCH_TIMEOUT_MS,
  });
  const kind = type.toUpperCase();
  if (kind === 'MEM' || kind === 'MEMORY') return { kind: 'memory' };
  if (kind !== 'FULL' && kind !== 'CACHE') throw noResolver(block.place);
  if (read.folder === '') throw configError(block.place, 'dir has no value and needs to point to a directory');
  if (kind === 'CACHE' && read.mayDelete) throw configError(block.place, 'CACHE does not accept allow_delete');
  return read;
}

function noResolver(place: Place): Failure {
  return configError(
    place,
    'error parsing account resolver, should be MEM or  URL("url") or a map containing dir and type state=[FULL|CACHE])',
  );
}

const resolver: Apply<Draft> = ({ operator: draft }, value, key) => {
  if (value.kind === 'map') {
    draft.resolver = directory(value);
    return;
  }
  const written = text(value, key);
  const [, url] = /^\s*URL\s*\(\s*"?([^\s")]+)"?\s*\)/i.exec(written) ?? [];
  if (/^\s*MEM(?:ORY)?\s*$/i.test(written)) draft.resolver = { kind: 'memory' };
  else if (url === undefined) throw noResolver(value.place);
  else if (!/^https?:/.test(url) || !URL.canParse(url))
    throw configError(value.place, `error parsing account resolver url ${JSON.stringify(url)}`);
  else draft.resolver = { kind: 'url', url, timeoutMs: FETCH_TIMEOUT_MS, tls: null };
};

const preload: Apply<Draft> = ({ operator: draft }, value, key) => {
  draft.preload = Array.from(map(value, key).entries, ([account, entry]) => {
    const token = text(entry.value, account);
    try {
      decodeAccountClaims(token);
    } catch {
      throw configError(entry.value.place, 'invalid account JWT');
    }
    return [account, token];
  });
};

/** Keys of the top level that say who is trusted, and where accounts come from. */
export const OPERATOR_KEYS = keys<Draft>({
  'operator|operators|roots|root|root_operators|root_operator': operator,
  'trusted|trusted_keys': ({ operator: draft }, value, key) => {
    draft.trustedKeys = texts(value, key);
    const wrong = draft.trustedKeys.find((one) => !isKey('operator', one));
    if (wrong !== undefined)
      throw configError(value.place, `trust key ${JSON.stringify(wrong)} required to be a valid public operator nkey`);
  },
  'resolver|account_resolver|accounts_resolver': resolver,
  resolver_tls: ({ operator: draft, readFile }, value, key) => {
    draft.resolverTls = readResolverTls(value, key, readFile);
  },
  resolver_preload: preload,
  resolver_pinned_accounts: ({ operator: draft }, value, key) => {
    draft.pinnedAccounts = texts(value, key);
  },
  default_sentinel: ({ operator: draft }, value: ConfigValue, key) => {
    draft.defaultSentinel = text(value, key);
  },
});

/** Judges what goes together, in nats-server's words, and puts it into the options. */
export function settleOperator(draft: Draft): void {
  const { options, operator: said } = draft;
  const mistake = whyNot(draft);
  if (mistake !== null) throw new Failure('config-invalid', mistake);
  if (said.operators.length === 0 && said.trustedKeys.length === 0) return;
  const [first] = said.operators;
  if (!draft.systemAccountSet)
    options.systemAccount = textOf(first?.nats ?? {}, 'system_account') || options.systemAccount;
  options.operator = operatorOptions(said, options.systemAccount);
  const wrong = options.operator.trustedKeys.find((key) => !isKey('operator', key));
  if (wrong === undefined) return;
  const what = `trusted Keys ${JSON.stringify(wrong)} are required to be a valid public operator nkey`;
  throw new Failure('config-invalid', what);
}

function operatorOptions(said: OperatorDraft, systemAccount: string): OperatorOptions {
  const [first] = said.operators;
  const server = textOf(first?.nats ?? {}, 'account_server_url');
  const tls = said.resolverTls;
  const fromOperator: ResolverOptions | null =
    said.operators.length === 1 && /^https?:/.test(server)
      ? { kind: 'url', url: `${server}/accounts`, timeoutMs: FETCH_TIMEOUT_MS, tls: null }
      : null;
  const resolver: ResolverOptions = said.resolver ?? fromOperator ?? { kind: 'memory' };
  return {
    trustedKeys: [
      ...said.trustedKeys,
      ...said.operators.flatMap(({ subject, nats }) => [
        ...(nats.strict_signing_key_usage === true ? [] : [subject]),
        ...textsOf(nats, 'signing_keys'),
      ]),
    ],
    tokens: said.operators.map(({ token }) => token),
    resolver: resolver.kind === 'url' ? { ...resolver, tls } : resolver,
    preload: said.preload,
    pinnedAccounts: said.pinnedAccounts === null ? null : [...said.pinnedAccounts, systemAccount],
    defaultSentinel: said.defaultSentinel,
  };
}

function whyNot({ options, operator: said, accounts, systemAccountSet }: Draft): string | null {
  const { operators, trustedKeys, resolver: wanted, defaultSentinel, pinnedAccounts } = said;
  if (operators.length === 0) return defaultSentinel === '' ? null : 'default sentinel requires operators and accounts';
  const sentinel = whyNotSentinel(defaultSentinel);
  if (sentinel !== null) return sentinel;
  const [{ nats }] = operators;
  if (wanted === null && textOf(nats, 'account_server_url') === '')
    return 'operators require an account resolver to be configured';
  if (accounts.length > 0) return 'operators do not allow Accounts to be configured directly';
  if (options.authorization.users.length > 0) return 'operators do not allow users to be configured directly';
  if (trustedKeys.length > 0) return "conflicting options for 'TrustedKeys' and 'TrustedOperators'";
  if (options.authorization.noAuthUser !== undefined) return 'no_auth_user not compatible with Trusted Operator';
  if (options.authorization.callout !== undefined)
    return 'operators do not allow authorization callouts to be configured directly';
  const named = operators.map((one) => textOf(one.nats, 'system_account')).filter((name) => name !== '');
  if (systemAccountSet && named.length > 0 && !named.includes(options.systemAccount))
    return 'system_account in config and operator JWT must be identical';
  if (!systemAccountSet && named.length === 0 && wanted?.kind === 'directory')
    return 'using nats based account resolver - the system account needs to be specified in configuration or the operator jwt';
  const pin = pinnedAccounts?.find((key) => !isKey('account', key));
  return pin === undefined ? null : `pinned account key ${JSON.stringify(pin)} is not a valid public account nkey`;
}

function whyNotSentinel(token: string): string | null {
  if (token === '') return null;
  try {
    const { limits, issuerAccount, isScoped } = decodeUserClaims(token);
    return limits.bearer || (issuerAccount !== '' && isScoped) ? null : 'default sentinel must be a bearer token';
  } catch {
    return 'default sentinel JWT not valid';
  }
}
