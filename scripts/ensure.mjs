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

/** The files of a folder and its folders, as whole paths. */
export function filesUnder(folder) {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  return entries.map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function newestMs(folder) {
  return Math.max(...filesUnder(folder).map(modifiedMs));
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

/** Builds `dist/` when it is missing or older than the sources. What only runs Weir needs no type declarations, a third of the work. */
export function ensureBuilt({ types = true } = {}) {
  const sources = ['src', 'plugins', 'scripts'].map((folder) => newestMs(join(root, folder)));
  const files = ['package.json', 'asconfig.json', 'tsconfig.json'].map((name) => modifiedMs(join(root, name)));
  const newest = Math.max(...sources, ...files);
  const parts = ['.', 'plugins', ...(types ? ['types'] : [])];
  if (parts.every((part) => modifiedMs(join(root, 'dist', part, '.built')) >= newest)) return;
  run(process.execPath, ['scripts/build.mjs', ...(types ? [] : ['--no-types'])]);
}
