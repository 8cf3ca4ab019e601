import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A server that takes part. */
export interface Peer {
  /** Shown in tables: `weir`, `nats-server 2.15.2`, `relay`. */
  name: string;
  kind: 'weir' | 'nats-server' | 'relay';
  version: string;
  command: string;
  args: string[];
}

export function weirPeer(name: string, path: string): Peer {
  const script = resolve(path);
  if (!existsSync(script)) throw new Error(`no Weir at ${JSON.stringify(path)}`);
  const version = versionOf(process.execPath, [script, '--version']);
  return { name, kind: 'weir', version, command: process.execPath, args: [script, 'serve'] };
}

function natsPeer(path: string): Peer {
  const version = versionOf(path, ['--version']);
  return { name: `nats-server ${version}`, kind: 'nats-server', version, command: path, args: [] };
}

/** The name of the relay among the servers. */
export const RELAY = 'relay';

/** The relay in C, compiled beside this file; null when there is no C compiler. */
export function relayPeer(): Peer | null {
  const command = fileURLToPath(new URL('./relay', import.meta.url));
  const done = spawnSync('cc', ['-O2', '-o', command, 'bench/relay.c'], { encoding: 'utf8' });
  if (done.error !== undefined) return null;
  if (done.status !== 0) throw new Error(`cc bench/relay.c: ${done.stderr}`);
  return { name: RELAY, kind: 'relay', version: '', command, args: [] };
}

/** `name=path` as given by the user. */
function givenPeer(text: string): Peer {
  const split = text.indexOf('=');
  const path = text.slice(split + 1);
  if (!existsSync(path)) throw new Error(`--peer ${JSON.stringify(text)}: no file ${JSON.stringify(path)}`);
  if (/\.m?js$/.test(path)) return weirPeer(split < 0 ? 'other weir' : text.slice(0, split), path);
  return natsPeer(path);
}

/** The servers to compare with: those given, and the nats-server on the PATH that is not one of Weir's own scripts. */
export function findPeers(given: string[]): Peer[] {
  const peers = given.map(givenPeer);
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .map((folder) => join(folder, 'nats-server'))
    .find((file) => existsSync(file));
  if (path !== undefined) {
    const found = natsPeer(path);
    if (!peers.some((peer) => peer.name === found.name)) peers.push(found);
  }
  return peers;
}

function versionOf(command: string, args: string[]): string {
  const done = spawnSync(command, args, { encoding: 'utf8' });
  const version = /\d+\.\d+\.\d+[\w.-]*/.exec(`${done.stdout} ${done.stderr}`)?.[0];
  if (version === undefined) throw new Error(`${command} ${args.join(' ')} names no version`);
  return version;
}

/** The newest nats-server among the peers. */
export function newestNatsServer(peers: Peer[]): Peer | undefined {
  const servers = peers.filter((peer) => peer.kind === 'nats-server');
  return servers.sort((a, b) => b.version.localeCompare(a.version, 'en', { numeric: true }))[0];
}
