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
  logSizeLimit?: number;
  tracedBytesMax?: number;
  debug?: boolean;
  trace?: boolean;
  jetstream?: boolean;
  storeDir?: string;
  user?: string;
  pass?: string;
  auth?: string;
  help?: boolean;
  version?: boolean;
}

export interface Arguments {
  values: ArgumentValues;
}

/** What is wrong with the command line, in nats-server's words. */
export interface ArgumentError {
  error: string;
}

type Kind = 'text' | 'number' | 'flag';
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
  flagOf('c config', 'text', 'config'),
  flagOf('t', 'flag', 'test'),
  flagOf('sl signal', 'text', 'signal'),
  flagOf('client_advertise', 'text', 'clientAdvertise'),
  flagOf('ports_file_dir', 'text', 'portsFileDir'),
  flagOf('l log', 'text', 'logFile'),
  flagOf('T logtime', 'flag', 'logTime'),
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
  flagOf('h help', 'flag', 'help'),
  flagOf('v version', 'flag', 'version'),
];

/** nats-server's flags for what is not there yet: refused by name. */
const UNSUPPORTED =
  'ms https_port s syslog r remote_syslog tls tlscert tlskey tlsverify tlscacert routes cluster cluster_name no_advertise cluster_advertise connect_retries cluster_listen profile help_tls'.split(
    ' ',
  );

const BY_NAME = new Map(FLAGS.flatMap((flag) => flag.names.map((name) => [name, flag] as const)));

/** Parses the command line as Go's `flag` package does. */
export function parseArguments(argv: readonly string[]): Arguments | ArgumentError {
  const values: ArgumentValues = {};
  for (let i = 0; i < argv.length; i++) {
    const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(argv[i]);
    if (match === null) return { error: `unrecognized command: ${JSON.stringify(argv[i])}` };
    const [, name, attached] = match;
    if (UNSUPPORTED.includes(name)) return { error: `flag is not supported yet by this server: -${name}` };
    const flag = BY_NAME.get(name);
    if (flag === undefined) return { error: `flag provided but not defined: -${name}` };
    let value = attached;
    if (value === undefined && flag.kind !== 'flag') {
      value = argv[++i];
      if (value === undefined) return { error: `flag needs an argument: -${name}` };
    }
    const read = readValue(flag.kind, value ?? 'true');
    if (read === null) return { error: `invalid value ${JSON.stringify(value)} for flag -${name}: parse error` };
    for (const field of flag.fields) Object.assign(values, { [field]: read });
  }
  return { values };
}

const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

function readValue(kind: Kind, text: string): string | number | boolean | null {
  if (kind === 'text') return text;
  if (kind === 'number') return /^-?\d+$/.test(text) ? Number(text) : null;
  if (TRUE.includes(text)) return true;
  return FALSE.includes(text) ? false : null;
}

export const USAGE = `
Usage: nats-server [options]

Server Options:
    -a, --addr, --net <host>         Bind to host address (default: 0.0.0.0)
    -p, --port <port>                Use port for clients (default: 4222, -1: any free port)
    -n, --name
        --server_name <server_name>  Server name (default: its id)
    -P, --pid <file>                 File to store PID
    -m, --http_port <port>           Use port for http monitoring
    -c, --config <file>              Configuration file
    -t                               Test configuration and exit
    -sl,--signal <signal>[=<pid>]    Send signal to a server process (ldm, stop, quit, term, reopen, reload)
        --client_advertise <string>  Client URL to advertise to other servers
        --ports_file_dir <dir>       Creates a ports file in the specified directory (<executable_name>_<pid>.ports).

Logging Options:
    -l, --log <file>                 File to redirect log output
    -T, --logtime                    Timestamp log entries (default: true)
    -D, --debug                      Enable debugging output
    -V, --trace                      Trace the raw protocol
    -DV                              Debug and trace
        --log_size_limit <limit>     Logfile size limit (default: auto)
        --max_traced_msg_len <len>   Maximum printable length for traced messages (default: unlimited)

JetStream Options:
    -js, --jetstream                 Enable JetStream functionality (not there yet: says so)
    -sd, --store_dir <dir>           Set the storage directory

Authorization Options:
        --user <user>                User required for connections
        --pass <password>            Password required for connections
        --auth <token>               Authorization token required for connections

Common Options:
    -h, --help                       Show this message
    -v, --version                    Show version
`;
