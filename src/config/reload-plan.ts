import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../base/failure.js';
import type { Options } from './options.js';

/** Whether a setting may change while the server runs, and what the log says then. */
interface Rule {
  /** nats-server's name of the setting. */
  name: string;
  reloadable: boolean;
  /** The line behind `Reloaded: `; null says nothing. */
  said: ((value: never) => string) | null;
  /** Why this change of a setting that may change needs a restart, or null. */
  refused?: (old: never, now: never) => string | null;
}

const fixed = (name: string): Rule => ({ name, reloadable: false, said: null });
const live = (name: string, said: Rule['said'] = (value) => `${name} = ${value}`): Rule => ({
  name,
  reloadable: true,
  said,
});
const silent = (name: string): Rule => live(name, null);
/** Room for streams: there may be more of it. */
const room = (name: string): Rule => ({
  ...live(`JetStream ${name}`),
  refused: (old: number, now: number) => {
    if (old >= 0 && now > old) return null;
    if (old < 0) return 'jetstream dynamic max memory and store';
    return now < 0 ? 'jetstream max memory and max store' : 'decreasing jetstream max memory and store';
  },
});
/** Who may come may change, but not who those are that do not say who they are. */
const users: Rule = {
  ...live('', () => 'authorization users'),
  refused: ({ noAuthUser: old = '' }: Options['authorization'], { noAuthUser: now = '' }: Options['authorization']) =>
    old === now ? null : `NoAuthUser: old=${old}, new=${now}`,
};
const streamLimit: Rule = live('', () => 'JetStream limits');
const duration = (name: string): Rule => live(name, (ms: number) => `${name} = ${ms / 1000}s`);

/** Settings that are made of several ones, each with a rule of its own. */
type Parts<T> = Record<keyof T & string, Rule>;
type Nested = 'log' | 'websocket' | 'streams';
type Rules = Record<Exclude<keyof Options, Nested>, Rule> & {
  log: Parts<Options['log']>;
  websocket: Parts<NonNullable<Options['websocket']>>;
  streams: Parts<Options['streams']>;
};

/** Every setting: the compiler asks for a rule of a new one. */
const RULES: Rules = {
  edge: fixed('edge'),
  busyPollMs: fixed('busy_poll'),
  host: fixed('Host'),
  port: fixed('Port'),
  clientAdvertise: live('client_advertise'),
  serverName: fixed('ServerName'),
  controlLineBytesMax: live('max_control_line'),
  payloadBytesMax: live('max_payload'),
  pendingBytesMax: live('max_pending'),
  connectionsMax: live('max_connections'),
  subscriptionsMax: live('max_subscriptions'),
  subscriptionTokensMax: live('max_sub_tokens'),
  pingIntervalMs: duration('ping_interval'),
  pingsOutMax: live('ping_max'),
  writeDeadlineMs: duration('write_deadline'),
  closedClientsMax: fixed('MaxClosedClients'),
  headers: fixed('NoHeaderSupport'),
  noProducerStall: live('', (never: boolean) => `fast producers will ${never ? 'not ' : ''}be stalled`),
  authorization: users,
  accounts: live('', () => 'accounts'),
  systemAccount: fixed('SystemAccount'),
  operator: live('', () => 'account resolver'),
  authTimeoutMs: live('', (ms: number) => `authorization timeout = ${ms / 1000}`),
  tls: live('', (tls: unknown) => `tls = ${tls === null ? 'disabled' : 'enabled'}`),
  allowNonTls: fixed('AllowNonTLS'),
  monitoring: fixed('HTTPPort'),
  pidFile: live('pid_file'),
  portsFileDir: live('ports_file_dir'),
  lameDuckDurationMs: duration('lame_duck_duration'),
  lameDuckGraceMs: duration('lame_duck_grace_period'),
  log: {
    file: live('log_file'),
    debug: live('debug'),
    trace: live('trace'),
    time: live('logtime'),
    utc: live('logtime_utc'),
    sizeBytesMax: live('log_size_limit'),
    filesMax: live('log_max_num'),
    format: live('log_format'),
    tracedBytesMax: live('max_traced_msg_len'),
  },
  websocket: {
    host: fixed('Websocket.Host'),
    port: fixed('Websocket.Port'),
    advertise: fixed('Websocket.Advertise'),
    tls: live('', () => 'websocket tls'),
    sameOrigin: fixed('Websocket.SameOrigin'),
    allowedOrigins: fixed('Websocket.AllowedOrigins'),
    compression: fixed('Websocket.Compression'),
    handshakeTimeoutMs: fixed('Websocket.HandshakeTimeout'),
    jwtCookie: fixed('Websocket.JWTCookie'),
    userCookie: fixed('Websocket.UsernameCookie'),
    passwordCookie: fixed('Websocket.PasswordCookie'),
    tokenCookie: fixed('Websocket.TokenCookie'),
    authorization: live('', () => 'websocket authorization'),
    noAuthUser: fixed('Websocket.NoAuthUser'),
    authTimeoutMs: fixed('Websocket.AuthTimeout'),
    headers: fixed('Websocket.Headers'),
    pingIntervalMs: fixed('Websocket.PingInterval'),
  },
  cluster: fixed('Cluster'),
  leafnodes: fixed('LeafNode'),
  gateway: fixed('Gateway'),
  mqtt: fixed('MQTT'),
  jetstream: fixed('JetStream'),
  streams: {
    memoryBytesMax: room('max_mem_store'),
    storeBytesMax: room('max_file_store'),
    domain: fixed('JetStreamDomain'),
    strict: fixed('NoJetStreamStrict'),
    sync: fixed('SyncInterval'),
    ackPendingMax: streamLimit,
    requestBatchMax: streamLimit,
    duplicateWindowMaxNs: streamLimit,
    consumersMax: streamLimit,
    key: fixed('JetStreamKey'),
    previousKey: fixed('JetStreamOldKey'),
    cipher: fixed('JetStreamCipher'),
  },
  storeDir: fixed('StoreDir'),
  plugins: live('', () => 'plugins'),
  tags: live('', () => 'tags'),
  metadata: live('', () => 'metadata'),
  configFile: silent('ConfigFile'),
  configDigest: silent('ConfigDigest'),
  warnings: silent('Warnings'),
  notices: silent('Notices'),
};

export interface ReloadPlan {
  /** Settings that change, nested ones as `log.debug`. */
  changed: ReadonlySet<string>;
  /** Lines for the log, once it is done. */
  said: readonly string[];
}

/** What changes from one configuration to the next. Throws a `Failure` in nats-server's words when something of it needs a restart. */
export function planReload(before: Options, next: Options): ReloadPlan {
  const changed = new Set<string>();
  const said: string[] = [];
  const compare = (path: string, rule: Rule, [old, now]: [unknown, unknown]) => {
    if (isDeepStrictEqual(old, now)) return;
    if (!rule.reloadable) throw unsupported(rule.name, old, now);
    const refused = rule.refused?.(old as never, now as never) ?? null;
    if (refused !== null) throw new Failure('reload-unsupported', `config reload not supported for ${refused}`);
    changed.add(path);
    const line = rule.said?.(now as never);
    if (line !== undefined && !said.includes(line)) said.push(line);
  };
  for (const key of Object.keys(RULES) as (keyof Options)[]) {
    const rule = ruleOf(key, before, next);
    if (isRule(rule)) compare(key, rule, [before[key], next[key]]);
    else if (before[key] === null || next[key] === null)
      compare(key, fixed(NAMES[key as Nested]), [before[key], next[key]]);
    else compareParts(key as Nested, rule, { before, next, compare });
  }
  return { changed, said };
}

/** Whom to trust is for good; the JWTs that are given with the configuration may change. */
function ruleOf(key: keyof Options, before: Options, next: Options): Rules[keyof Options] {
  const kept = (options: Options) => options.operator && { ...options.operator, preload: [] };
  return key === 'operator' && !isDeepStrictEqual(kept(before), kept(next)) ? fixed('TrustedOperators') : RULES[key];
}

const NAMES: Record<Nested, string> = { log: 'Log', websocket: 'Websocket', streams: 'JetStream' };

interface Comparison {
  before: Options;
  next: Options;
  compare: (path: string, rule: Rule, values: [unknown, unknown]) => void;
}

function compareParts(key: Nested, rules: Record<string, Rule>, { before, next, compare }: Comparison): void {
  const old = before[key] as unknown as Record<string, unknown>;
  const now = next[key] as unknown as Record<string, unknown>;
  for (const [part, rule] of Object.entries(rules)) {
    // TLS that comes or goes is another kind of port; a certificate may change.
    const other = part === 'tls' && (old[part] === null) !== (now[part] === null);
    compare(`${key}.${part}`, other ? fixed('Websocket.TLSConfig') : rule, [old[part], now[part]]);
  }
}

function isRule(rule: Rule | Record<string, Rule>): rule is Rule {
  return typeof rule.reloadable === 'boolean';
}

function unsupported(name: string, old: unknown, now: unknown): Failure {
  return new Failure(
    'reload-unsupported',
    `config reload not supported for ${name}: old=${shown(old)}, new=${shown(now)}`,
  );
}

const SECRET = /^(?:password|token|tokens|key|previousKey|cert|ca|preload|defaultSentinel)$/;

/** A value for the log, without what is secret. */
function shown(value: unknown): string {
  if (typeof value === 'string') return value;
  return JSON.stringify(value, (name, part) => (SECRET.test(name) && part !== '' ? '[hidden]' : part)) ?? String(value);
}
