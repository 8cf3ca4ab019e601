/** What `--help` prints. `nats-server [options]` and the signal's example name the command. */
export const USAGE = `
Usage: nats-server [options]

Server Options:
    -a, --addr, --net <host>         Bind to host address (default: 0.0.0.0)
    -p, --port <port>                Use port for clients (default: 4222, -1: any free port)
    -n, --name
        --server_name <server_name>  Server name (default: its id)
    -P, --pid <file>                 File to store PID
    -m, --http_port <port>           Use port for http monitoring (-1: any free port)
    -ms,--https_port <port>          Use port for https monitoring, with the certificates for clients
    -c, --config <file>              Configuration file
    -t                               Test configuration and exit
    -sl,--signal <signal>[=<pid>]    Send signal to a server process (ldm, stop, quit, term, reopen, reload)
                                     <pid> is a process id, a beginning of one with *, or a file that holds one
        --client_advertise <string>  Client URL to advertise to clients
        --ports_file_dir <dir>       Creates a ports file in the specified directory (nats-server_<pid>.ports)

Logging Options:
    -l, --log <file>                 File to redirect log output
    -T, --logtime                    Timestamp log entries (default: true)
        --logtime_utc                Timestamps in UTC instead of local timezone (default: false)
    -D, --debug                      Enable debugging output
    -V, --trace                      Trace the raw protocol
    -DV                              Debug and trace
        --log_size_limit <limit>     Logfile size limit (default: none)
        --max_traced_msg_len <len>   Maximum printable length for traced messages (default: unlimited)

JetStream Options:
    -js, --jetstream                 Enable JetStream functionality
    -sd, --store_dir <dir>           Set the storage directory

Authorization Options:
        --user <user>                User required for connections
        --pass <password>            Password required for connections
        --auth <token>               Authorization token required for connections

TLS Options:
        --tls                        Enable TLS, do not verify clients (default: false)
        --tlscert <file>             Server certificate file
        --tlskey <file>              Private key for server certificate
        --tlsverify                  Enable TLS, verify client certificates
        --tlscacert <file>           Client certificate CA for verification

Cluster Options (not there yet: the port is open and refuses its peers):
        --cluster <cluster-url>      Cluster URL for solicited routes
        --cluster_listen <url>       The same
        --cluster_name <string>      Cluster name
        --cluster_advertise <string> Cluster URL to advertise to other servers
        --no_advertise <bool>        Do not advertise known cluster information to clients
        --connect_retries <number>   For implicit routes, number of connect retries

Common Options:
    -h, --help                       Show this message
    -v, --version                    Show version
`;

/** The same for `weir serve`, which has flags of its own. */
export const OWN_USAGE = USAGE.replace('nats-server [options]', 'weir serve [options]').replace(
  'Common Options:',
  `Weir Options:
        --edge                       For small devices: memory before speed

Common Options:`,
);
