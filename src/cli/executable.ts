/** The names under which the server runs: in messages, and as process name. */
export type Executable = 'nats-server' | 'weir';
