import { createHash } from 'node:crypto';
import { dirname, isAbsolute, join } from 'node:path';
import { Failure } from '../base/failure.js';
import type { Arguments } from './arguments.js';
import { readAuthorization } from './authorization.js';
import { readJetStream, readPeer, readPlugins, readWebSocket } from './blocks.js';
import { type ConfigValue, configError, parseConfig } from './grammar.js';
import { defaultOptions, type Options } from './options.js';
import {
  accepted,
  address,
  durationMs,
  flag,
  type KeyTable,
  keys,
  port,
  readBlock,
  text,
  textMap,
  texts,
  unsupported,
  whole,
} from './values.js';

type SetValue = (options: Options, value: ConfigValue, key: string) => void;

/** Sets a plain field of the options by a reader. */
function set<K extends keyof Options>(field: K, read: (value: ConfigValue, key: string) => Options[K]): SetValue {
  return (options, value, key) => {
    options[field] = read(value, key);
  };
}

function setLog<K extends keyof Options['log']>(
  field: K,
  read: (value: ConfigValue, key: string) => Options['log'][K],
): SetValue {
  return (options, value, key) => {
    options.log[field] = read(value, key);
  };
}

const count = whole(0, 2 ** 31);

/** The format of log lines. */
function logFormat(value: ConfigValue, key: string): 'text' | 'json' {
  const format = text(value, key);
  if (format === 'text' || format === 'json') return format;
  throw configError(value.place, `${JSON.stringify(key)} is ${JSON.stringify(format)}, expected "text" or "json"`);
}

/** Every key of the top level: what it sets, and how it is read. */
const TABLE: KeyTable<Options> = {
  ...keys<Options>({
    listen: (options, value, key) => {
      const { host, port: at } = address(value, key);
      options.host = host ?? options.host;
      options.port = at;
    },
    port: set('port', port),
    'host|net': set('host', text),
    client_advertise: set('clientAdvertise', text),
    server_name: set('serverName', text),
    debug: setLog('debug', flag),
    'trace|trace_verbose': setLog('trace', flag),
    logtime: setLog('time', flag),
    logtime_utc: setLog('utc', flag),
    'logfile|log_file': setLog('file', text),
    'logfile_size_limit|log_size_limit': setLog('sizeBytesMax', whole(0, Number.MAX_SAFE_INTEGER)),
    'logfile_max_num|log_max_num': setLog('filesMax', count),
    log_format: setLog('format', logFormat),
    max_traced_msg_len: setLog('tracedBytesMax', count),
    authorization: readAuthorization,
    no_auth_user: (options, value, key) => {
      options.authorization = { ...options.authorization, noAuthUser: text(value, key) };
    },
    http: (options, value, key) => {
      const { host, port: at } = address(value, key);
      options.monitoring = { host: host ?? '', port: at, basePath: options.monitoring?.basePath ?? '' };
    },
    'http_port|monitor_port': (options, value, key) => {
      options.monitoring = { host: '', port: port(value, key), basePath: options.monitoring?.basePath ?? '' };
    },
    http_base_path: (options, value, key) => {
      options.monitoring = {
        host: options.monitoring?.host ?? '',
        port: options.monitoring?.port ?? -1,
        basePath: text(value, key),
      };
    },
    'pidfile|pid_file': set('pidFile', text),
    ports_file_dir: set('portsFileDir', text),
    max_control_line: set('controlLineBytesMax', whole(1, 2 ** 31)),
    max_payload: set('payloadBytesMax', whole(1, 64 * 1024 * 1024)),
    max_pending: set('pendingBytesMax', whole(1, Number.MAX_SAFE_INTEGER)),
    'max_connections|max_conn': set('connectionsMax', count),
    'max_subscriptions|max_subs': set('subscriptionsMax', count),
    'max_sub_tokens|max_subscription_tokens': set('subscriptionTokensMax', whole(0, 255)),
    ping_interval: set('pingIntervalMs', durationMs),
    ping_max: set('pingsOutMax', count),
    write_deadline: set('writeDeadlineMs', durationMs),
    lame_duck_duration: set('lameDuckDurationMs', durationMs),
    lame_duck_grace_period: set('lameDuckGraceMs', durationMs),
    no_fast_producer_stall: set('noProducerStall', flag),
    max_closed_clients: set('closedClientsMax', count),
    no_header_support: set('headers', (value, key) => !flag(value, key)),
    server_tags: set('tags', texts),
    server_metadata: set('metadata', textMap),
    'websocket|ws': readWebSocket,
    cluster: readPeer('cluster'),
    'leaf|leafnodes': readPeer('leafnodes'),
    gateway: readPeer('gateway'),
    mqtt: readPeer('mqtt'),
    jetstream: readJetStream,
    'store_dir|storedir': set('storeDir', text),
    plugins: readPlugins,
  }),
  ...accepted<Options>('connect_error_reports reconnect_error_reports'),
  ...unsupported<Options>(
    'accounts mappings maps default_sentinel trace_headers disable_sublist_cache no_sublist_cache https https_port syslog remote_syslog prof_port prof_block_rate proxy_protocol tls ocsp allow_non_tls write_timeout operator operators roots root root_operators root_operator resolver account_resolver accounts_resolver resolver_tls resolver_preload resolver_pinned_accounts system_account system no_system_account no_system no_sys_acc trusted trusted_keys feature_flags default_js_domain ocsp_cache proxies',
  ),
};

export interface LoadInputs {
  arguments: Arguments;
  env: Record<string, string | undefined>;
  readFile(path: string): string;
}

/** File, then command line: what the command line says wins. Throws a `Failure` that says where the mistake is. */
export function loadOptions({ arguments: given, env, readFile }: LoadInputs): Options {
  const options = defaultOptions();
  const file = given.values.config;
  if (file !== undefined) {
    let source: string;
    try {
      source = readFile(file);
    } catch (error) {
      throw new Failure(
        'config-unreadable',
        `error opening config file ${JSON.stringify(file)}: ${(error as Error).message}`,
      );
    }
    const resolve = (from: string, path: string) => (isAbsolute(path) ? path : join(dirname(from), path));
    readBlock(parseConfig(source, file, { readFile, resolve, env }), TABLE, options);
    options.plugins.modules = options.plugins.modules.map(({ name, file: path }) => ({
      name,
      file: resolve(file, path),
    }));
    options.configFile = file;
    options.configDigest = `sha256:${createHash('sha256').update(source).digest('hex')}`;
  }
  applyArguments(options, given);
  if (options.monitoring !== null && options.monitoring.port < 0) options.monitoring = null;
  const { noAuthUser, users } = options.authorization;
  if (noAuthUser !== undefined && !users.some((user) => user.name === noAuthUser)) {
    throw new Failure('config-invalid', `no_auth_user: ${JSON.stringify(noAuthUser)} is not a user of authorization`);
  }
  return options;
}

function applyArguments(options: Options, { values }: Arguments): void {
  if (values.host !== undefined) options.host = values.host;
  if (values.port !== undefined) options.port = Math.max(0, values.port);
  if (values.name !== undefined) options.serverName = values.name;
  if (values.pidFile !== undefined) options.pidFile = values.pidFile;
  if (values.portsFileDir !== undefined) options.portsFileDir = values.portsFileDir;
  if (values.clientAdvertise !== undefined) options.clientAdvertise = values.clientAdvertise;
  if (values.httpPort !== undefined) {
    options.monitoring = {
      host: options.monitoring?.host ?? '',
      port: Math.max(0, values.httpPort),
      basePath: options.monitoring?.basePath ?? '',
    };
  }
  if (values.logFile !== undefined) options.log.file = values.logFile;
  if (values.logTime !== undefined) options.log.time = values.logTime;
  if (values.logSizeLimit !== undefined) options.log.sizeBytesMax = values.logSizeLimit;
  if (values.tracedBytesMax !== undefined) options.log.tracedBytesMax = values.tracedBytesMax;
  if (values.debug !== undefined) options.log.debug = values.debug;
  if (values.trace !== undefined) options.log.trace = values.trace;
  if (values.jetstream !== undefined) options.jetstream = values.jetstream;
  if (values.storeDir !== undefined) options.storeDir = values.storeDir;
  if (values.auth !== undefined) options.authorization = { users: [], token: values.auth };
  if (values.user !== undefined)
    options.authorization = { users: [{ name: values.user, password: values.pass ?? '' }] };
}
