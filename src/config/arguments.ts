/** Values of the command line, those that were given. */
export interface ArgumentValues {
  host?: string;
  port?: number;
  name?: string;
  pidFile?: string;
  httpPort?: number;
  config?: string;
  test?: boolean;
  signal?: string;
  clientAdvertise?: string;
  portsFileDir?: string;
  logFile?: string;
  logTime?: boolean;
  logTimeUtc?: boolean;
  logSizeLimit?: number;
  tracedBytesMax?: number;
  debug?: boolean;
  trace?: boolean;
  jetstream?: boolean;
  storeDir?: string;
  user?: string;
  pass?: string;
  auth?: string;
  /** Where the cluster's port is to be; null: nowhere. */
  cluster?: { host: string; port: number } | null;
  clusterName?: string;
  httpsPort?: number;
  tls?: boolean;
  tlsCert?: string;
  tlsKey?: string;
  tlsVerify?: boolean;
  tlsCa?: string;
  edge?: boolean;
  help?: boolean;
  version?: boolean;
}

export interface Arguments {
  values: ArgumentValues;
  /** What stands behind the flags. */
  words: string[];
}

/** What is wrong with the command line, in nats-server's words. */
export interface ArgumentError {
  error: string;
  /** Whether nats-server would know the flag: it is only not supported yet. */
  unsupported: boolean;
}

type Kind = 'text' | 'number' | 'flag' | 'address';
type Flag = { names: string[]; kind: Kind; fields: (keyof ArgumentValues)[] };

const flagOf = (names: string, kind: Kind, ...fields: (keyof ArgumentValues)[]): Flag => ({
  names: names.split(' '),
  kind,
  fields,
});

/** nats-server's flags. One dash or two, `-flag value`, `-flag=value`; a flag without value is true. */
const FLAGS: Flag[] = [
  flagOf('a addr net', 'text', 'host'),
  flagOf('p port', 'number', 'port'),
  flagOf('n name server_name', 'text', 'name'),
  flagOf('P pid', 'text', 'pidFile'),
  flagOf('m http_port', 'number', 'httpPort'),
  flagOf('ms https_port', 'number', 'httpsPort'),
  flagOf('c config', 'text', 'config'),
  flagOf('t', 'flag', 'test'),
  flagOf('sl signal', 'text', 'signal'),
  flagOf('client_advertise', 'text', 'clientAdvertise'),
  flagOf('ports_file_dir', 'text', 'portsFileDir'),
  flagOf('l log', 'text', 'logFile'),
  flagOf('T logtime', 'flag', 'logTime'),
  flagOf('logtime_utc', 'flag', 'logTimeUtc'),
  flagOf('log_size_limit', 'number', 'logSizeLimit'),
  flagOf('max_traced_msg_len', 'number', 'tracedBytesMax'),
  flagOf('D debug', 'flag', 'debug'),
  flagOf('V trace VV', 'flag', 'trace'),
  flagOf('DV DVV', 'flag', 'debug', 'trace'),
  flagOf('js jetstream', 'flag', 'jetstream'),
  flagOf('sd store_dir', 'text', 'storeDir'),
  flagOf('user', 'text', 'user'),
  flagOf('pass', 'text', 'pass'),
  flagOf('auth', 'text', 'auth'),
  flagOf('tls', 'flag', 'tls'),
  flagOf('tlscert', 'text', 'tlsCert'),
  flagOf('tlskey', 'text', 'tlsKey'),
  flagOf('tlsverify', 'flag', 'tlsVerify'),
  flagOf('tlscacert', 'text', 'tlsCa'),
  flagOf('cluster cluster_listen', 'address', 'cluster'),
  flagOf('cluster_name', 'text', 'clusterName'),
  flagOf('cluster_advertise', 'text'),
  flagOf('no_advertise', 'flag'),
  flagOf('connect_retries', 'number'),
  flagOf('h help', 'flag', 'help'),
  flagOf('v version', 'flag', 'version'),
];

/** nats-server's flags for what is not there yet: refused by name. */
const UNSUPPORTED = 's syslog r remote_syslog routes profile help_tls'.split(' ');

/** Flags that nats-server lacks, for the command that is not called by its name. */
const OWN_FLAGS: Flag[] = [flagOf('edge', 'flag', 'edge')];

const byName = (flags: Flag[]) => new Map(flags.flatMap((flag) => flag.names.map((name) => [name, flag] as const)));
const BY_NAME = byName(FLAGS);
const BY_NAME_WITH_OWN = byName([...FLAGS, ...OWN_FLAGS]);

function wrong(error: string, unsupported = false): ArgumentError {
  return { error, unsupported };
}

/** Parses the command line as Go's `flag` package does: flags end at the first word that is none. `own`: with Weir's own flags. */
export function parseArguments(argv: readonly string[], own = false): Arguments | ArgumentError {
  const known = own ? BY_NAME_WITH_OWN : BY_NAME;
  const values: ArgumentValues = {};
  let at = 0;
  for (; at < argv.length; at++) {
    if (argv[at] === '--') return { values, words: argv.slice(at + 1) };
    if (argv[at].length < 2 || !argv[at].startsWith('-')) break;
    const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(argv[at]);
    if (match === null) return wrong(`bad flag syntax: ${argv[at]}`);
    const [, name, attached] = match;
    if (UNSUPPORTED.includes(name)) return wrong(`flag is not supported yet by this server: -${name}`, true);
    const flag = known.get(name);
    if (flag === undefined) return wrong(`flag provided but not defined: -${name}`);
    if (attached === undefined && flag.kind !== 'flag' && at + 1 >= argv.length)
      return wrong(`flag needs an argument: -${name}`);
    const text = attached ?? (flag.kind === 'flag' ? 'true' : argv[++at]);
    const read = readValue(flag.kind, text);
    if (read === undefined) {
      const quoted = JSON.stringify(text);
      return wrong(
        flag.kind === 'flag'
          ? `invalid boolean value ${quoted} for -${name}: parse error`
          : `invalid value ${quoted} for flag -${name}: parse error`,
      );
    }
    for (const field of flag.fields) Object.assign(values, { [field]: read });
  }
  return { values, words: argv.slice(at) };
}

const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

/** The value of a flag; undefined when its text is not of the kind. */
function readValue(kind: Kind, text: string): ArgumentValues[keyof ArgumentValues] {
  switch (kind) {
    case 'text':
      return text;
    case 'number':
      return /^[+-]?\d{1,15}$/.test(text) ? Number(text) : undefined;
    case 'address':
      return readAddress(text);
    default:
      if (TRUE.includes(text)) return true;
      return FALSE.includes(text) ? false : undefined;
  }
}

/** `nats://host:port`; port -1 is any free one. Nothing is no address. */
function readAddress(text: string): { host: string; port: number } | null | undefined {
  if (text === '') return null;
  const [, host, digits] = /^[a-z]+:\/\/(?:[^@/]*@)?(.*?):(-1|\d{1,5})\/?$/i.exec(text) ?? [];
  const port = Number(digits);
  if (host === undefined || port > 65535) return undefined;
  return { host: host.replace(/^\[(.*)\]$/, '$1') || '0.0.0.0', port: Math.max(0, port) };
}
