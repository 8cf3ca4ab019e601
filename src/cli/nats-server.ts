// The `nats-server` command: the same flags, files, signals and exit codes.
import { runServer } from './run-server.js';

await runServer('nats-server', process.argv.slice(2));
