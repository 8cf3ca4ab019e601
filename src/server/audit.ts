import { utf8 } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import type { AuditEntry } from '../host/audit.js';
import { composeMessage } from '../message/message.js';
import type { ServerParts } from './server-parts.js';
import type { SystemEvents } from './system-events.js';

/** A client, as others are told of it. */
interface Requestor {
  user?: string;
  acc?: string;
  host?: string;
  id?: number;
}

/** Writes down who changed what: a line in the log, an event in the account that it happened in, and one for the system account. */
export class Audit {
  private readonly parts: ServerParts;
  private readonly events: SystemEvents;

  constructor(parts: ServerParts, events: SystemEvents) {
    this.parts = parts;
    this.events = events;
  }

  /** Somebody changed what plugins do in an account, or was refused to. */
  pluginChange(account: Account, entry: AuditEntry, by: object | null): void {
    const { action, name, before, after, error } = entry;
    const said = { action, name, before, after, ...outcomeOf(error) };
    const event = { ...this.typed('audit'), account: account.name, ...said, client: clientOf(by) };
    const subject = `$WEIR.EVENT.audit.${name}`;
    const payload = utf8(JSON.stringify(event));
    account.publishDirect(composeMessage({ subject: utf8(subject), reply: null, headers: null, payload }));
    this.tell(`$SYS.ACCOUNT.${account.name}.PLUGIN.AUDIT`, event);
    const now = after ?? before;
    const what = now === null ? '' : ` (${JSON.stringify(now.plugin)} version ${now.version}, ${now.sha256})`;
    this.log(`${action} ${JSON.stringify(name)}${what} in account ${JSON.stringify(account.name)}`, by, error);
  }

  /** The configuration was read again; `by` is null after a signal. */
  reload(by: object | null, error: string | null): void {
    const { configFile, configDigest } = this.parts.options;
    const said = { action: 'reload', file: configFile, digest: configDigest, ...outcomeOf(error) };
    const event = { ...this.typed('reload'), ...said, client: clientOf(by) };
    this.tell(`$SYS.SERVER.${this.parts.identity.id}.RELOAD`, event);
    this.log(`reload of ${configFile} (${configDigest})`, by ?? 'a signal', error);
  }

  private tell(subject: string, event: object): void {
    this.events
      .tell(subject, async (server) => ({ ...event, server }))
      .catch((error) => this.parts.logger.error(`Cannot tell ${subject}: ${String(error)}`));
  }

  private typed(kind: string): object {
    return { type: `io.weir.event.v1.${kind}`, time: new Date(this.parts.clock.nowMs()).toISOString() };
  }

  private log(what: string, by: object | string | null, error: string | null): void {
    const who = typeof by === 'string' ? by : labelOf(by);
    const line = `Audit: ${what} by ${who}: ${error === null ? 'done' : `refused, ${error}`}`;
    if (error === null) this.parts.logger.info(line);
    else this.parts.logger.warn(line);
  }
}

function outcomeOf(error: string | null): object {
  return error === null ? { outcome: 'done' } : { outcome: 'refused', error };
}

/** What of a client is written down: no credentials. */
function clientOf(by: object | null): object | undefined {
  return by === null ? undefined : { ...by, jwt: undefined, nonce: undefined, server: undefined };
}

function labelOf(by: object | null): string {
  if (by === null) return 'nobody known';
  const { user, acc, host, id } = by as Requestor;
  return `${user ? `user ${JSON.stringify(user)}` : 'a client without a name'} of account ${JSON.stringify(acc ?? '')} from ${host ?? '?'} (cid:${id ?? '?'})`;
}
