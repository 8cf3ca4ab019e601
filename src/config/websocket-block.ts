import { type Draft, warnAboutSeconds } from './draft.js';
import type { ConfigValue } from './grammar.js';
import { type Apply, type KeyTable, keys, readBlock, set } from './key-table.js';
import type { WebSocketOptions } from './options.js';
import { configError, type Place } from './place.js';
import { readTls } from './tls-block.js';
import { address, durationMs, expected, flag, map, port, type Read, text, textMap, texts } from './values.js';

interface WebSocketDraft extends WebSocketOptions {
  draft: Draft;
  noTls: boolean;
  jwtCookiePlace: Place | null;
}

const NO_PORT = 0;

/** `https://example.com`: where a page may come from that connects. */
const origins: Read<string[]> = (value, key) => {
  const list = texts(value, key);
  for (const origin of list) {
    const { protocol = '', host = '' } = URL.canParse(origin) ? new URL(origin) : {};
    if ((protocol !== 'http:' && protocol !== 'https:') || host === '')
      throw configError(
        value.place,
        `unable to parse allowed origin ${JSON.stringify(origin)}: expected an http or https URL`,
      );
  }
  return list;
};

/** Headers that make the answer to an upgrade what it is. */
const RESERVED_HEADER = /^(?:host|content-length|connection|upgrade|nats-no-masking|sec-websocket-.*)$/i;

const headers: Read<Record<string, string>> = (value, key) => {
  for (const [name, { keyPlace, value: entry }] of map(value, key).entries) {
    if (RESERVED_HEADER.test(name) || !/^[\w!#$%&'*+.^`|~-]+$/.test(name))
      throw configError(keyPlace, `websocket: invalid header ${JSON.stringify(name)} not allowed`);
    // A line end would let a value become a header of its own.
    if (/[^\t\x20-\x7e\x80-\xff]/.test(text(entry, name))) expected(entry, name, 'printable Latin-1 characters');
  }
  return textMap(value, key);
};

const loginTable = keys<Draft['websocketLogin'] & { timeoutMs: number | null }>({
  'user|username': set('user', text),
  'pass|password': set('password', text),
  token: set('token', text),
  timeout: set('timeoutMs', durationMs),
});

const login: Apply<WebSocketDraft> = (websocket, value, key) => {
  const read = readBlock(map(value, key), loginTable, { user: '', password: '', token: '', timeoutMs: null });
  websocket.draft.websocketLogin = read;
  websocket.authTimeoutMs = read.timeoutMs;
};

const table: KeyTable<WebSocketDraft> = keys<WebSocketDraft>({
  listen: (websocket, value, key) => {
    const { host, port: at } = address(value, key);
    websocket.host = host || websocket.host;
    websocket.port = at;
  },
  port: set('port', port),
  'host|net': set('host', text),
  advertise: set('advertise', text),
  no_tls: set('noTls', flag),
  tls: (websocket, value, key) => {
    websocket.tls = readTls(value, key, websocket.draft.readFile);
    websocket.handshakeTimeoutMs = websocket.tls.timeoutMs;
  },
  same_origin: set('sameOrigin', flag),
  'allowed_origins|allowed_origin|allow_origins|allow_origin|origins|origin': set('allowedOrigins', origins),
  'compress|compression': set('compression', flag),
  handshake_timeout: set('handshakeTimeoutMs', durationMs),
  'authorization|authentication': login,
  jwt_cookie: (websocket, value, key) => {
    websocket.jwtCookie = text(value, key);
    if (websocket.jwtCookie !== '') websocket.jwtCookiePlace = value.place;
  },
  user_cookie: set('userCookie', text),
  pass_cookie: set('passwordCookie', text),
  token_cookie: set('tokenCookie', text),
  no_auth_user: set('noAuthUser', text),
  headers: set('headers', headers),
  ping_interval: (websocket, value, key) => {
    websocket.pingIntervalMs = durationMs(value, key);
    warnAboutSeconds(websocket.draft, value, key);
  },
});

/** Reads `websocket { … }`; without a port there is no such listener. */
export function readWebSocket(draft: Draft, value: ConfigValue, key: string): void {
  const empty: WebSocketDraft = {
    draft,
    noTls: false,
    jwtCookiePlace: null,
    host: '0.0.0.0',
    port: NO_PORT,
    advertise: '',
    tls: null,
    sameOrigin: false,
    allowedOrigins: [],
    compression: false,
    handshakeTimeoutMs: 2_000,
    jwtCookie: '',
    userCookie: '',
    passwordCookie: '',
    tokenCookie: '',
    authorization: null,
    noAuthUser: '',
    authTimeoutMs: null,
    headers: {},
    pingIntervalMs: null,
  };
  const { draft: _, noTls, jwtCookiePlace, ...websocket } = readBlock(map(value, key), table, empty);
  draft.jwtCookiePlace = jwtCookiePlace;
  if (websocket.port === NO_PORT) return;
  if (websocket.tls === null && !noTls)
    throw configError(value.place, 'websocket requires TLS configuration, or "no_tls: true"');
  draft.options.websocket = { ...websocket, port: Math.max(0, websocket.port) };
}

/** Who may come in by WebSocket, where the block says otherwise than for everybody. Returns what does not fit together, or null. */
export function settleWebSocketLogin(draft: Draft): string | null {
  const { options, websocketLogin, usersListed: several, jwtCookiePlace } = draft;
  if (jwtCookiePlace !== null && options.operator === null)
    throw configError(
      jwtCookiePlace,
      'trusted operators or trusted keys configuration is required for JWT authentication via cookie',
    );
  const { websocket, authorization } = options;
  const { user, password, token } = websocketLogin;
  if (websocket === null || (user === '' && token === '' && websocket.noAuthUser === '')) return null;
  if (several && user !== '') return 'websocket authentication username not compatible with presence of users/nkeys';
  if (several && token !== '') return 'websocket authentication token not compatible with presence of users/nkeys';
  const own = user === '' ? [] : [{ name: user, password }];
  websocket.authorization = { users: several ? authorization.users : own };
  if (token !== '') websocket.authorization.token = token;
  if (websocket.noAuthUser !== '') websocket.authorization.noAuthUser = websocket.noAuthUser;
  return null;
}
