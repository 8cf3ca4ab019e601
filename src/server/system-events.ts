import { utf8 } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import type { MessageTrace } from '../broker/message-trace.js';
import { ClosedReason } from '../client/closed-reason.js';
import { recordOf } from '../client/connection-record.js';
import type { ClientWatcher } from '../client/door.js';
import type { ClientSession } from '../client/session.js';
import { composeMessage } from '../message/message.js';
import type { ServerParts } from './server-parts.js';
import type { SystemService } from './system-service.js';

/** How often the server says how it is. */
const STATS_MS = 10_000;

/** Tells the system account who comes and goes, and how the server is. What nobody listens to is not even made. */
export class SystemEvents implements ClientWatcher {
  private readonly parts: ServerParts;
  private readonly service: SystemService;
  private stopped = false;

  constructor(parts: ServerParts, service: SystemService) {
    this.parts = parts;
    this.service = service;
  }

  start(): void {
    this.parts.clock.after(STATS_MS, () => {
      if (this.stopped) return;
      this.tellStats();
      this.start();
    });
  }

  /** Resolves when those who listen were told. */
  stop(): Promise<void> {
    this.stopped = true;
    return this.tellServer('SHUTDOWN');
  }

  /** The server is about to go. */
  lameDuck(): void {
    void this.tellServer('LAMEDUCK');
  }

  onConnected(session: ClientSession): void {
    const nowMs = this.parts.clock.nowMs();
    const client = session.requestInfo(true);
    void this.tell(`$SYS.ACCOUNT.${session.account.name}.CONNECT`, async (server) => {
      const { connectEvent } = await import('../monitor/system-events.js');
      return connectEvent(server, withoutServer(client), nowMs);
    });
    this.tellConnections(session.account);
  }

  onGone(session: ClientSession): void {
    if (!session.connected) return;
    this.tellGone(session, [`$SYS.ACCOUNT.${session.account.name}.DISCONNECT`]);
    this.tellConnections(session.account);
  }

  onRefused(session: ClientSession): void {
    const { identity } = this.parts;
    this.tellGone(session, [`$SYS.SERVER.${identity.id}.CLIENT.AUTH.ERR`], ClosedReason.authenticationViolation);
    this.tellGone(session, ['$SYS.ACCOUNT.CLIENT.AUTH.ERR'], ClosedReason.authenticationViolation, session.account);
  }

  onTraced(account: Account, trace: MessageTrace): void {
    void this.tell(trace.dest, async (server) => trace.json(server), account);
  }

  private tellGone(session: ClientSession, subjects: string[], why?: ClosedReason, where = this.system): void {
    const nowMs = this.parts.clock.nowMs();
    const client = withoutServer(session.requestInfo(true));
    const connection = recordOf(session, nowMs, false);
    const reason = why ?? session.closedReason ?? '';
    for (const subject of subjects)
      void this.tell(
        subject,
        async (server) => {
          const { disconnectEvent } = await import('../monitor/system-events.js');
          return disconnectEvent(server, client, { connection, reason, nowMs });
        },
        where,
      );
  }

  private tellConnections(account: Account): void {
    const make = async (server: object) => {
      const { accountConnections } = await import('../monitor/system-events.js');
      const found = (await this.service.source()).accounts().find(({ name }) => name === account.name)!;
      return accountConnections(server, found, this.parts.clock.nowMs());
    };
    void this.tell(`$SYS.ACCOUNT.${account.name}.SERVER.CONNS`, make);
    void this.tell(`$SYS.SERVER.ACCOUNT.${account.name}.CONNS`, make);
  }

  private tellStats(): void {
    void this.tell(`$SYS.SERVER.${this.parts.identity.id}.STATSZ`, async (server) => {
      const { statsJson } = await import('../monitor/system-answers.js');
      return { server, statsz: statsJson(await this.service.source()) };
    });
  }

  private tellServer(what: 'SHUTDOWN' | 'LAMEDUCK'): Promise<void> {
    return this.tell(`$SYS.SERVER.${this.parts.identity.id}.${what}`, async (server) => ({ ...server }));
  }

  private get system(): Account | undefined {
    return this.parts.accounts.get(this.parts.options.systemAccount);
  }

  /** Publishes what `make` makes, if anybody listens. */
  async tell(subject: string, make: (server: object) => Promise<object>, where = this.system): Promise<void> {
    if (where === undefined || !where.hasInterest(subject)) return;
    const payload = utf8(JSON.stringify(await make(await this.service.serverJson())));
    where.publishDirect(composeMessage({ subject: utf8(subject), reply: null, headers: null, payload }));
  }
}

/** Events name the server once, and no nonce. */
function withoutServer(client: object): object {
  return { ...client, server: undefined, nonce: undefined };
}
