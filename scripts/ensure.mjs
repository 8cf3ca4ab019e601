// Makes a fresh clone ready: installs the dependencies and builds `dist/` when either is missing or older than its source.
// npm runs scripts before anything is installed, so this file may import nothing but Node itself.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

/** Runs a command in the project's root; ends this process with its exit code if it fails. */
export function run(command, args, options = {}) {
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (done.error) {
    console.error(`cannot run "${command} ${args.join(' ')}": ${done.error.message}`);
    process.exit(1);
  }
  if (done.status !== 0) process.exit(done.status ?? 1);
}

function modifiedMs(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function newestMs(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) newest = Math.max(newest, modifiedMs(join(entry.parentPath ?? entry.path, entry.name)));
  }
  return newest;
}

/** Installs dependencies when `node_modules` is missing or older than the lock file. */
export function ensureInstalled() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`Weir needs Node 20.19 or newer, this is ${process.version}`);
    process.exit(1);
  }
  const installed = modifiedMs(join(root, 'node_modules', '.package-lock.json'));
  if (installed > 0 && installed >= modifiedMs(join(root, 'package-lock.json'))) return;
  console.log('installing dependencies …');
  // Not `npm ci`: it refuses a lock file that lacks optional packages of other platforms, which a registry may not carry.
  run(npm, ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']);
}

/** Builds `dist/` when it is missing or older than the sources. */
export function ensureBuilt() {
  const built = modifiedMs(join(root, 'dist', '.built'));
  const sources = ['src', 'plugins', 'scripts'].map((folder) => newestMs(join(root, folder)));
  if (built > 0 && built >= Math.max(...sources, modifiedMs(join(root, 'package.json')))) return;
  run(process.execPath, ['scripts/build.mjs']);
}
