// `npm start`: installs, builds, and starts the server on this machine.
import { ensureBuilt, ensureInstalled, run } from './ensure.mjs';

ensureInstalled();
ensureBuilt();
run(process.execPath, ['bin/weir.mjs', 'serve', '-a', '127.0.0.1', '-m', '8222', ...process.argv.slice(2)]);
