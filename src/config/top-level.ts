import { readAccounts } from './accounts-block.js';
import { readMappings } from './accounts-mappings.js';
import { readAuthorization } from './authorization.js';
import { type Draft, logOption, option, warnAboutSeconds } from './draft.js';
import type { ConfigValue } from './grammar.js';
import { readJetStream } from './jetstream-block.js';
import { type Apply, type KeyTable, keys, unsupported } from './key-table.js';
import { readOcsp, readOcspCache } from './ocsp.js';
import { OPERATOR_KEYS } from './operator-block.js';
import { defaultOptions, type Options } from './options.js';
import { readPeer } from './peer-blocks.js';
import { configError, placeText } from './place.js';
import { readPlugins } from './plugins-block.js';
import { readTls } from './tls-block.js';
import {
  address,
  durationMs,
  expected,
  flag,
  oneOf,
  parseDuration,
  port,
  type Read,
  text,
  textMap,
  texts,
  whole,
  wholeOr,
} from './values.js';
import { readWebSocket } from './websocket-block.js';

const DEFAULTS = defaultOptions();
const INT32_MAX = 2 ** 31 - 1;
const LAME_DUCK_MS_MIN = 30_000;
const count = whole(0, 2 ** 31);

/** A limit of which -1 is none, and so is 0. */
function limit(without: number): Read<number> {
  const read = whole(-1, 2 ** 31);
  return (value, key) => {
    const number = read(value, key);
    return number <= 0 ? without : number;
  };
}

/** A port of ours: 0 is the default one, -1 any free one. */
function clientPort(options: Options, wanted: number): void {
  options.port = wanted === 0 ? DEFAULTS.port : Math.max(0, wanted);
}

/** A port that need not be: 0 is none, -1 any free one. */
export function optionalPort(wanted: number): number | null {
  return wanted === 0 ? null : Math.max(0, wanted);
}

/** Where monitoring listens: an address or a port. */
function monitoring(secure: boolean): Apply<Draft> {
  return ({ options }, value, key) => {
    const { host, port: at } = address(value, key);
    const wanted = optionalPort(at);
    const { monitoring: before } = options;
    if (wanted !== null && before.port !== null && (before.secure ?? false) !== secure) {
      const [http, https] = secure ? [before.port, at] : [at, before.port];
      throw configError(value.place, `can't specify both HTTP (${http}) and HTTPs (${https}) ports`);
    }
    options.monitoring = { ...before, host: host || before.host, port: wanted, ...(secure && { secure }) };
  };
}

function seconds(field: 'pingIntervalMs' | 'writeDeadlineMs'): Apply<Draft> {
  return (draft, value, key) => {
    draft.options[field] = durationMs(value, key) || DEFAULTS[field];
    warnAboutSeconds(draft, value, key);
  };
}

/** Keys of nats-server that there is no counterpart for: their values are checked, and the log says so. */
function withoutEffect(table: Record<string, Read<unknown>>): KeyTable<Draft> {
  return keys(
    Object.fromEntries(
      Object.entries(table).map(([names, read]): [string, Apply<Draft>] => [
        names,
        ({ options }, value, key) => {
          if (read(value, key))
            options.notices.push(`${placeText(value.place)}: ${JSON.stringify(key)} has no effect in this server`);
        },
      ]),
    ),
  );
}

/** A duration that must have a unit. */
const strictDuration: Read<number> = (value, key) => {
  const ms = value.kind === 'string' ? parseDuration(String(value.value)) : null;
  return ms ?? expected(value, key, 'a duration such as "2m"');
};

const lameDuckDuration: Read<number> = (value, key) => {
  const ms = strictDuration(value, key);
  if (ms >= LAME_DUCK_MS_MIN) return ms;
  throw configError(value.place, `invalid lame_duck_duration of ${String(textOf(value))}, minimum is 30 seconds`);
};

const lameDuckGrace: Read<number> = (value, key) => {
  const ms = strictDuration(value, key);
  if (ms >= 0) return ms;
  throw configError(value.place, 'invalid lame_duck_grace_period, needs to be positive');
};

function textOf(value: ConfigValue): unknown {
  return value.kind === 'map' || value.kind === 'array' ? '' : value.value;
}

const serverName: Read<string> = (value, key) => {
  const name = text(value, key);
  return name.includes(' ') ? expected(value, key, 'a name: server name cannot contain spaces') : name;
};

/** Every key of the top level: what it sets, and how it is read. */
export const TOP_LEVEL: KeyTable<Draft> = {
  ...keys<Draft>({
    listen: ({ options }, value, key) => {
      const { host, port: at } = address(value, key);
      options.host = host || options.host;
      clientPort(options, at);
    },
    port: ({ options }, value, key) => clientPort(options, port(value, key)),
    'host|net': option('host', (value, key) => text(value, key) || DEFAULTS.host),
    client_advertise: option('clientAdvertise', text),
    server_name: option('serverName', serverName),
    debug: logOption('debug', flag),
    'trace|trace_verbose': logOption('trace', flag),
    logtime: logOption('time', flag),
    logtime_utc: logOption('utc', flag),
    'logfile|log_file': logOption('file', text),
    'logfile_size_limit|log_size_limit': logOption('sizeBytesMax', whole(0, Number.MAX_SAFE_INTEGER)),
    'logfile_max_num|log_max_num': logOption('filesMax', count),
    log_format: logOption('format', oneOf('text', 'json')),
    max_traced_msg_len: logOption('tracedBytesMax', wholeOr(DEFAULTS.log.tracedBytesMax, 2 ** 31)),
    authorization: readAuthorization,
    accounts: readAccounts,
    'mappings|maps': (draft, value, key) => {
      draft.mappings = readMappings(value, key);
    },
    'system_account|system': (draft, value, key) => {
      draft.options.systemAccount = text(value, key);
      draft.systemAccountSet = true;
    },
    no_auth_user: ({ options }, value, key) => {
      options.authorization = { ...options.authorization, noAuthUser: text(value, key) };
    },
    tls: ({ options, readFile }, value, key) => {
      options.tls = readTls(value, key, readFile);
    },
    allow_non_tls: option('allowNonTls', flag),
    http: monitoring(false),
    'http_port|monitor_port': monitoring(false),
    https: monitoring(true),
    https_port: monitoring(true),
    http_base_path: ({ options }, value, key) => {
      options.monitoring.basePath = text(value, key);
    },
    'pidfile|pid_file': option('pidFile', text),
    ports_file_dir: option('portsFileDir', text),
    max_control_line: option('controlLineBytesMax', wholeOr(DEFAULTS.controlLineBytesMax, INT32_MAX)),
    max_payload: option('payloadBytesMax', wholeOr(DEFAULTS.payloadBytesMax, INT32_MAX)),
    max_pending: (draft, value, key) => {
      draft.options.pendingBytesMax = wholeOr(DEFAULTS.pendingBytesMax, Number.MAX_SAFE_INTEGER)(value, key);
      draft.pendingSet = true;
    },
    'max_connections|max_conn': option('connectionsMax', limit(-1)),
    'max_subscriptions|max_subs': option('subscriptionsMax', limit(0)),
    'max_sub_tokens|max_subscription_tokens': option('subscriptionTokensMax', whole(1, 255)),
    ping_interval: seconds('pingIntervalMs'),
    ping_max: option('pingsOutMax', wholeOr(DEFAULTS.pingsOutMax, 2 ** 31)),
    write_deadline: seconds('writeDeadlineMs'),
    lame_duck_duration: option('lameDuckDurationMs', lameDuckDuration),
    lame_duck_grace_period: option('lameDuckGraceMs', lameDuckGrace),
    no_fast_producer_stall: option('noProducerStall', flag),
    max_closed_clients: option('closedClientsMax', wholeOr(DEFAULTS.closedClientsMax, 2 ** 31)),
    no_header_support: option('headers', (value, key) => !flag(value, key)),
    server_tags: option('tags', texts),
    server_metadata: option('metadata', textMap),
    'websocket|ws': readWebSocket,
    cluster: readPeer('cluster'),
    'leaf|leafnodes': readPeer('leafnodes'),
    gateway: readPeer('gateway'),
    mqtt: readPeer('mqtt'),
    jetstream: readJetStream,
    'store_dir|storedir': option('storeDir', text),
    plugins: readPlugins,
    edge: option('edge', flag),
    ocsp: readOcsp,
    ocsp_cache: readOcspCache,
    busy_poll: (draft, value, key) => {
      draft.options.busyPollMs = durationMs(value, key);
      draft.busyPollSet = true;
    },
  }),
  ...OPERATOR_KEYS,
  ...withoutEffect({
    'connect_error_reports|reconnect_error_reports|prof_block_rate': count,
    'disable_sublist_cache|no_sublist_cache|trace_headers|no_system_account|no_system|no_sys_acc': flag,
  }),
  ...unsupported<Draft>(
    'syslog remote_syslog prof_port proxy_protocol write_timeout default_js_domain feature_flags proxies',
  ),
};
