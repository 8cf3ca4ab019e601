// `npm start`: installs, builds, and runs the demo. `npm start -- --messages 100` ends by itself.
import { endWithNpm } from '../bin/end-with-npm.mjs';
import { ensureBuilt, ensureInstalled } from './ensure.mjs';

ensureInstalled();
ensureBuilt({ types: false });
if (process.env.npm_lifecycle_event !== undefined) endWithNpm();
// In this process: signals, the terminal and the exit code are the demo's own.
process.argv.splice(2, 0, 'demo');
await import('../bin/weir.mjs');
