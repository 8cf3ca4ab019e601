import { Failure } from '../base/failure.js';
import type { Arguments, ArgumentValues } from './arguments.js';
import type { Draft } from './draft.js';
import { defaultOptions, type Options } from './options.js';
import { tlsOfFlags } from './tls-block.js';
import { optionalPort } from './top-level.js';

/** What the command line says wins over the file. */
export function applyArguments(draft: Draft, { values }: Arguments): void {
  const { options } = draft;
  if (values.edge !== undefined) options.edge = values.edge;
  if (values.host !== undefined) options.host = values.host || defaultOptions().host;
  if (values.port !== undefined) options.port = values.port === 0 ? defaultOptions().port : Math.max(0, values.port);
  if (values.name !== undefined) options.serverName = values.name;
  if (values.pidFile !== undefined) options.pidFile = values.pidFile;
  if (values.portsFileDir !== undefined) options.portsFileDir = values.portsFileDir;
  if (values.clientAdvertise !== undefined) options.clientAdvertise = values.clientAdvertise;
  applyMonitoring(options, values);
  applyTls(draft, values);
  if (values.jetstream !== undefined) options.jetstream = values.jetstream;
  if (values.storeDir !== undefined) options.storeDir = values.storeDir;
  applyLogArguments(options.log, values);
  applyLogin(draft, values);
  applyCluster(options, values);
}

function applyMonitoring(options: Options, { httpPort, httpsPort }: ArgumentValues): void {
  if (httpPort !== undefined) options.monitoring = { ...options.monitoring, port: optionalPort(httpPort) };
  const secure = httpsPort === undefined ? null : optionalPort(httpsPort);
  if (secure === null) return;
  const { port } = options.monitoring;
  if (port !== null && !options.monitoring.secure)
    throw new Failure('config-invalid', `can't specify both HTTP (${port}) and HTTPs (${secure}) ports`);
  options.monitoring = { ...options.monitoring, port: secure, secure: true };
}

/** `--tls=false` turns off what the file says; any other of these flags takes its place. */
function applyTls({ options, readFile }: Draft, { tls, tlsCert, tlsKey, tlsVerify, tlsCa }: ArgumentValues): void {
  if (tls === false) options.tls = null;
  else if ([tls, tlsCert, tlsKey, tlsVerify, tlsCa].some((value) => value !== undefined)) {
    if (!tlsCert) throw new Failure('config-invalid', 'TLS Server certificate must be present and valid');
    if (!tlsKey) throw new Failure('config-invalid', 'TLS Server private key must be present and valid');
    const files = { cert: tlsCert, key: tlsKey, ca: tlsCa ?? '' };
    options.tls = tlsOfFlags(files, tlsVerify ?? false, readFile);
  }
}

function applyLogArguments(log: Options['log'], values: ArgumentValues): void {
  if (values.logFile !== undefined) log.file = values.logFile;
  if (values.logTime !== undefined) log.time = values.logTime;
  if (values.logTimeUtc !== undefined) log.utc = values.logTimeUtc;
  if (values.logSizeLimit !== undefined) log.sizeBytesMax = Math.max(0, values.logSizeLimit);
  if (values.tracedBytesMax !== undefined && values.tracedBytesMax > 0) log.tracedBytesMax = values.tracedBytesMax;
  if (values.debug !== undefined) log.debug = values.debug;
  if (values.trace !== undefined) log.trace = values.trace;
}

/** A login on the command line takes the place of everybody in the file. A token comes first, as in nats-server. */
function applyLogin(draft: Draft, { auth, user, pass = '' }: ArgumentValues): void {
  if (!auth && !user) return;
  draft.usersListed = false;
  draft.options.authorization = auth ? { users: [], token: auth } : { users: [{ name: user!, password: pass }] };
}

/** `--cluster nats://host:port` opens the cluster's port, and an empty one closes it. */
function applyCluster(options: Options, { cluster, clusterName }: ArgumentValues): void {
  if (clusterName !== undefined && options.cluster !== null) options.cluster.name = clusterName;
  if (cluster === undefined) return;
  const name = clusterName ?? options.cluster?.name ?? '';
  options.cluster = cluster === null ? null : { name, host: cluster.host, port: cluster.port };
}
