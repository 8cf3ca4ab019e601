import { networkInterfaces } from 'node:os';
import { Failure } from '../base/failure.js';

/** `host:port`, an IPv6 address in brackets. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether a host stands for every address of the machine. */
function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === '';
}

/** What to hand to `listen`: as with nats-server, `0.0.0.0` is every address, of IPv6 too; empty says that to Node. */
export function bindHost(host: string): string {
  return isWildcard(host) ? '' : host;
}

/** An address to reach a listener by on this machine. */
export function localHost(host: string): string {
  return isWildcard(host) ? '127.0.0.1' : host;
}

/** Every URL by which a listener can be reached, the one for this machine first. */
export function urlsOf(scheme: string, host: string, port: number): string[] {
  const hosts = isWildcard(host) ? everyAddress() : [host];
  return hosts.map((address) => `${scheme}://${hostPort(address, port)}`);
}

function everyAddress(): string[] {
  const found = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const addresses = found.filter(({ internal }) => !internal).map(({ address }) => address);
  const loopback6 = found.some(({ address }) => address === '::1') ? ['::1'] : [];
  return ['127.0.0.1', ...loopback6, ...addresses];
}

/** Why a port could not be opened, as people know it from nats-server. */
const REASONS: Record<string, string> = {
  EADDRINUSE: 'bind: address already in use',
  EACCES: 'bind: permission denied',
  EADDRNOTAVAIL: 'bind: cannot assign requested address',
  ENOTFOUND: 'no such host',
  ERR_SOCKET_BAD_PORT: 'invalid port',
};

/** The failure of a listener; `what` says which. */
export function listenFailure(what: string, host: string, port: number, error: unknown): Failure {
  const cause = error instanceof Failure ? (error.cause as Error | undefined) : (error as Error);
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  const address = hostPort(host, port);
  const reason = REASONS[code] ?? cause?.message ?? String(error);
  return new Failure('listen-failed', `Error listening on ${what}: ${address}, "listen tcp ${address}: ${reason}"`, {
    cause: error,
  });
}
