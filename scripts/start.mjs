// `npm start`: installs, builds, and runs the demo. `npm start -- --messages 100` ends by itself.
import { ensureBuilt, ensureInstalled } from './ensure.mjs';

ensureInstalled();
ensureBuilt({ types: false });
endWithNpm();
// In this process: signals, the terminal and the exit code are the demo's own.
process.argv.splice(2, 0, 'demo');
await import('../bin/weir.mjs');

/**
 * npm runs scripts through a shell and passes signals on to it; a shell that is ended so does not tell us. Without this, `kill <pid of npm>`
 * would leave a broker behind.
 */
function endWithNpm() {
  if (process.env.npm_lifecycle_event === undefined) return;
  const shell = process.ppid;
  const look = () => {
    if (process.ppid !== shell) process.kill(process.pid, 'SIGTERM');
  };
  setInterval(look, 250).unref();
}
