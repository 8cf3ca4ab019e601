import { Authenticator } from '../auth/authenticator.js';
import { closeSurplusOfAccounts } from '../client/enforce.js';
import { closeUnpinned, reauthenticate, reloadLimits } from '../client/reload.js';
import type { Options, WebSocketOptions } from '../config/options.js';
import { planReload, type ReloadPlan } from '../config/reload-plan.js';
import type { DeclaredPlugins } from '../host/declared-plugins.js';
import { authenticationOf } from './authentication.js';
import { clientTls } from './client-tls.js';
import { limitsOf } from './limits.js';
import type { ServerParts } from './server-parts.js';
import type { WebSocketDoor } from './websocket.js';

/** What a reload touches beside the parts that every server has. */
export interface Reloadable {
  plugins: DeclaredPlugins;
  websocket: WebSocketDoor | null;
  readFile: (path: string) => Promise<Uint8Array>;
  /** The monitoring port goes on with the present certificates. */
  renewMonitor: () => void;
  /** INFO is made of these. */
  setAdvertised: () => void;
  /** Goes on with another log, if there is one. */
  switchLog: () => void;
}

/**
 * Brings another configuration about: all of it, or nothing when a `Failure` is thrown. What may fail comes first, then everything
 * changes in one turn; the clients are asked again who they are after that.
 */
export async function reload(
  parts: ServerParts,
  next: Options,
  { plugins, websocket, ...rest }: Reloadable,
): Promise<ReloadPlan> {
  const { options, door, logger } = parts;
  const plan = planReload(options, next);
  const changes = (key: string) => plan.changed.has(key);
  const tokens = changedTokens(options, next);
  for (const [account, token] of tokens) parts.operator?.check(account, token);
  // Also when the text is the same: the files of the modules may be others.
  await plugins.install(next.plugins, rest.readFile);
  const tls = clientTls(next, parts.clock);
  // From here on nothing waits. These two may still refuse, and then they have changed nothing.
  if (changes('websocket.tls')) websocket?.listener.renewCertificate(next.websocket!.tls!);
  try {
    plugins.attach(next.plugins);
  } catch (error) {
    if (changes('websocket.tls')) websocket?.listener.renewCertificate(options.websocket!.tls!);
    throw error;
  }
  const pins = changedPins(options, next);
  Object.assign(options, next);
  rest.switchLog();
  rest.setAdvertised();
  if (changes('tls')) {
    door.tls = tls;
    door.mapCertificate = next.tls?.map ?? false;
    rest.renewMonitor();
  }
  closeUnpinned(door, pins);
  door.tracedBytesMax = next.log.tracedBytesMax;
  const closed = reloadLimits(door, limitsOf(next));
  if (closed > 0) logger.info(`Closed ${closed} connections to fall within max_connections`);
  for (const [account, token] of tokens) parts.operator?.update(account, token);
  if (changes('accounts')) parts.accounts.apply(next.accounts);
  // Before anybody can come into an account that is new.
  const arranged = parts.streams?.arrange();
  const asked = changes('authorization') || changes('websocket.authorization') || changes('accounts') || changes('tls');
  const before = door.authenticator;
  if (asked) swapAuthenticators(parts, websocket, next.websocket);
  for (const line of plan.said) logger.info(`Reloaded: ${line}`);
  if (changes('payloadBytesMax') || changes('clientAdvertise')) door.announceInfo();
  if (asked) {
    await reauthenticate(door, before);
    if (changes('accounts')) closeSurplusOfAccounts(door);
    await before.close();
  }
  await arranged;
  return plan;
}

/** JWTs of accounts that the configuration did not have before: what others became since by an update stays. */
function changedTokens(before: Options, next: Options): [account: string, token: string][] {
  const present = new Map(before.operator?.preload);
  return (next.operator?.preload ?? []).filter(([account, token]) => present.get(account) !== token);
}

/** The certificates that clients may have, where these are others now. */
function changedPins(before: Options, next: Options) {
  const changed = (present: readonly string[], wanted: readonly string[]) =>
    present.join() === wanted.join() ? null : wanted;
  return {
    tls: changed(before.tls?.pinnedKeys ?? [], next.tls?.pinnedKeys ?? []),
    websocket: changed(before.websocket?.tls?.pinnedKeys ?? [], next.websocket?.tls?.pinnedKeys ?? []),
  };
}

function swapAuthenticators(parts: ServerParts, websocket: WebSocketDoor | null, next: WebSocketOptions | null): void {
  parts.door.authenticator = authenticationOf(parts);
  if (websocket === null) return;
  const own = next?.authorization ?? null;
  void websocket.entrance.authenticator?.close();
  websocket.entrance.authenticator = own === null ? null : new Authenticator(own);
}
