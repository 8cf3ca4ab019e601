import type { ExportSettings, ImportSettings } from '../broker/account-settings.js';
import { exportFor } from '../broker/accounts.js';
import { BadQuery, booleanOf } from './query.js';
import type { AccountSnapshot, MonitorSource } from './snapshots.js';
import { interestJson } from './subsz.js';

const NOTHING = { msgs: 0, bytes: 0 };

/** Figures in one direction: all from and to clients. */
function moved(messages: number, bytes: number): object {
  return { msgs: messages, bytes, gateways: NOTHING, routes: NOTHING, leafs: NOTHING };
}

/** `/accountz`: the names of all accounts, or one in detail. */
export function accountz(source: MonitorSource, query: URLSearchParams, nowMs: number): object {
  const server = source.server();
  const accounts = source.accounts();
  const head = {
    server_id: server.id,
    now: new Date(nowMs).toISOString(),
    system_account: accounts.find(({ isSystem }) => isSystem)?.name,
  };
  const wanted = query.get('acc') ?? '';
  if (wanted === '') return { ...head, accounts: accounts.map(({ name }) => name) };
  return { ...head, account_detail: accountDetail(accounts, wanted) };
}

/** Everything about one account. */
export function accountDetail(accounts: readonly AccountSnapshot[], wanted: string): object {
  const account = accounts.find(({ name }) => name === wanted);
  if (account === undefined) throw new BadQuery(`Account ${wanted} does not exist`);
  const { claims, exports, imports, mappings } = account;
  return {
    account_name: account.name,
    update_time: new Date(account.updatedMs).toISOString(),
    is_system: account.isSystem || undefined,
    expired: claims?.expired ?? false,
    complete: true,
    jetstream_enabled: account.jetstream,
    leafnode_connections: 0,
    client_connections: account.clients,
    subscriptions: account.interest.subscriptions,
    mappings: mappings.length === 0 ? undefined : mappingsJson(account),
    exports: exports.length === 0 ? undefined : exports.map(exportJson),
    imports: imports.length === 0 ? undefined : imports.map((one) => importJson(one, accounts, wanted)),
    jwt: claims?.token,
    issuer_key: claims?.issuer,
    name_tag: claims?.name || account.name,
    tags: claims !== null && claims.tags.length > 0 ? claims.tags : undefined,
    sublist_stats: interestJson(account),
  };
}

function mappingsJson({ mappings }: AccountSnapshot): object {
  return Object.fromEntries(
    mappings.map(({ source, destinations }) => [
      source,
      destinations.map(({ subject, weight, cluster }) => ({ subject, weight, cluster: cluster || undefined })),
    ]),
  );
}

const RESPONSES = { singleton: 'Singleton', stream: 'Streamed', chunked: 'Chunked' };

function exportJson({ kind, subject, accounts, responseType, latency, ...more }: ExportSettings): object {
  const isService = kind === 'service';
  return {
    subject,
    type: kind,
    token_req: accounts !== null || undefined,
    response_type: isService ? RESPONSES[responseType] : undefined,
    response_threshold: isService ? more.responseThresholdMs * 1e6 : undefined,
    service_latency: latencyJson(latency),
    account_token_position: more.tokenPosition || undefined,
    allow_trace: more.allowTrace || undefined,
    approved_accounts: accounts === null || accounts.length === 0 ? undefined : accounts,
  };
}

function importJson(settings: ImportSettings, accounts: readonly AccountSnapshot[], importer: string): object {
  const { kind, account, subject, to, prefix, share, allowTrace } = settings;
  const local = prefix === '' ? to || subject : `${prefix}.${subject}`;
  const offered = exportFor(accounts.find(({ name }) => name === account)?.exports ?? [], settings, importer);
  const isService = kind === 'service';
  return {
    ...{ subject, account, to: isService ? local : undefined, local_subject: local, type: kind },
    allow_trace: allowTrace || undefined,
    ...{ invalid: offered === undefined, share, tracking: false },
    latency: isService ? latencyJson(offered?.latency ?? null) : undefined,
  };
}

function latencyJson(latency: ExportSettings['latency']): object | undefined {
  return latency === null ? undefined : { sampling: latency.sampling || 'headers', results: latency.subject };
}

/** `/accstatz`: what accounts move; one without connections only if asked for. `acc` names those to show, several by commas. */
export function accstatz(source: MonitorSource, query: URLSearchParams, nowMs: number): object {
  const unused = booleanOf(query, 'unused');
  const named = (query.get('acc') ?? '').split(',').filter((name) => name !== '');
  const shown = source
    .accounts()
    .filter(({ name, clients }) => (named.length === 0 || named.includes(name)) && (unused || clients > 0));
  return {
    server_id: source.server().id,
    now: new Date(nowMs).toISOString(),
    account_statz: shown.map(accountStat),
  };
}

/** What one account moves. */
export function accountStat(account: AccountSnapshot): object {
  return {
    acc: account.name,
    name: account.claims?.name || account.name,
    conns: account.clients,
    leafnodes: 0,
    total_conns: account.clients,
    num_subscriptions: account.interest.subscriptions,
    sent: moved(account.outMessages, account.outBytes),
    received: moved(account.inMessages, account.inBytes),
    slow_consumers: account.slowConsumers,
  };
}
