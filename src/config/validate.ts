import type { AuthorizationSettings } from '../auth/authenticator.js';
import type { Draft } from './draft.js';
import type { Options } from './options.js';

/** What does not fit together, in nats-server's words, or null. */
export function whyInvalid({ options, usersListed }: Draft): string | null {
  const { lameDuckGraceMs, lameDuckDurationMs, payloadBytesMax, pendingBytesMax } = options;
  if (lameDuckGraceMs >= lameDuckDurationMs) {
    const [grace, duration] = [lameDuckGraceMs / 1000, lameDuckDurationMs / 1000];
    return `lame duck grace period (${grace}s) should be strictly lower than lame duck duration (${duration}s)`;
  }
  if (payloadBytesMax > pendingBytesMax)
    return `max_payload (${payloadBytesMax}) cannot be higher than max_pending (${pendingBytesMax})`;
  return (
    whyNoAuthUser(options.authorization, usersListed) ??
    (options.websocket?.authorization ? whyNoAuthUser(options.websocket.authorization, usersListed) : null) ??
    whyNotAdvertised(options)
  );
}

function whyNoAuthUser({ noAuthUser, users }: AuthorizationSettings, usersListed: boolean): string | null {
  if (noAuthUser === undefined) return null;
  const name = JSON.stringify(noAuthUser);
  if (!usersListed) return `no_auth_user: ${name} present, but users/nkeys are not defined`;
  if (users.some((user) => user.name === noAuthUser)) return null;
  return `no_auth_user: ${name} not present as user or nkey in authorization block or account configuration`;
}

function whyNotAdvertised({ clientAdvertise, websocket }: Options): string | null {
  for (const address of [clientAdvertise, websocket?.advertise ?? '']) {
    if (address !== '' && splitAddress(address) === null)
      return `invalid ClientAdvertise value of ${address}, expected "host" or "host:port"`;
  }
  return null;
}

/** `host` or `host:port`, an IPv6 address in brackets; null when it is neither. `port` is 0 when there is none. */
export function splitAddress(address: string): { host: string; port: number } | null {
  const [, host, digits = '0'] = /^(\[[^\]\s]+\]|[^:\s]+)(?::(\d{1,5}))?$/.exec(address) ?? [];
  const port = Number(digits);
  if (host === undefined || port > 65535) return null;
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port };
}
