import type { Identity } from '../auth/identity.js';
import type { PermissionRules } from '../auth/permissions.js';
import type { Account } from '../broker/account.js';
import type { Transport } from '../net/transport.js';
import type { ConnectOptions } from './connect-options.js';

/** Whom it is about: a session. */
interface Client {
  readonly id: number;
  readonly startedMs: number;
  readonly remoteHost: string;
  readonly account: Account;
  readonly identity: Identity | null;
  readonly options: Readonly<ConnectOptions>;
  readonly transport: Transport;
  readonly nonce: string | null;
  readonly keepAlive: { readonly rttNs: number };
}

/** What others are told of a client: keys in nats-server's order. Not `detailed`: its account and round trip time. */
export function requestInfoOf(client: Client, detailed: boolean, serverName = ''): object {
  const { account, identity, options } = client;
  const rtt = Math.round(client.keepAlive.rttNs) || undefined;
  if (!detailed) return { acc: account.name, rtt };
  const claims = identity?.claims ?? null;
  return {
    start: new Date(client.startedMs).toISOString(),
    host: client.remoteHost,
    id: client.id,
    acc: account.name,
    user: authorizedUser(client) || undefined,
    name: options.name || undefined,
    lang: options.language || undefined,
    ver: options.version || undefined,
    rtt,
    server: serverName || undefined,
    jwt: claims?.jwt,
    issuer_key: claims?.issuer,
    name_tag: claims?.name || undefined,
    tags: claims !== null && claims.tags.length > 0 ? claims.tags : undefined,
    kind: 'Client',
    client_type: client.transport.kind === 'websocket' ? 'websocket' : 'nats',
    nonce: client.nonce ?? undefined,
  };
}

/** Who it is, for monitoring and events; a token is not told. */
export function authorizedUser({ identity, options }: Pick<Client, 'identity' | 'options'>): string {
  return identity?.userName || options.nkey || options.user || (options.token === '' ? '' : '[REDACTED]');
}

/** Who it says to be, for the log. */
export function userLabelOf({ identity, options }: Pick<Client, 'identity' | 'options'>): string {
  if (options.nkey !== '') return `Nkey ${JSON.stringify(options.nkey)}`;
  if (options.user !== '') return `User ${JSON.stringify(options.user)}`;
  if (options.jwt !== '') return `JWT User ${JSON.stringify(identity?.userName ?? '')}`;
  if (options.token !== '') return 'Token "[REDACTED]"';
  return '';
}

/** What a client is told of itself: keys in nats-server's order. */
export function userInfoOf(client: Client, nowMs: number): object {
  const { identity, account } = client;
  const expiresMs = identity?.expiresMs ?? null;
  return {
    user: authorizedUser(client),
    account: account.name,
    account_name: account.label || account.name,
    user_name: identity?.claims?.name || undefined,
    permissions: identity?.permissions ? permissionsJson(identity.permissions.rules) : undefined,
    expires: expiresMs === null ? undefined : Math.round((expiresMs - nowMs) * 1e6),
  };
}

function permissionsJson({ publish, subscribe, responses }: PermissionRules): object {
  return {
    publish: publish ?? {},
    subscribe: subscribe ?? {},
    responses: responses && { max: responses.max, ttl: responses.expiresMs * 1e6 },
  };
}
