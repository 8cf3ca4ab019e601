import type { Authentication, Verdict } from '../auth/authentication.js';
import { GLOBAL_ACCOUNT } from '../auth/identity.js';
import type { Clock } from '../base/clock.js';
import { describe } from '../base/failure.js';
import type { Logger } from '../base/logger.js';
import type { Account } from '../broker/account.js';
import type { Accounts } from '../broker/accounts.js';
import type { MessageTrace } from '../broker/message-trace.js';
import type { FlushQueue } from '../net/flush-queue.js';
import type { Transport } from '../net/transport.js';
import { ErrorText } from '../wire/nats/errors.js';
import { calloutInfoOf } from './callout-info.js';
import { ClosedConnections } from './closed-connections.js';
import { ClosedReason } from './closed-reason.js';
import { Congestion } from './congestion.js';
import type { ConnectOptions } from './connect-options.js';
import { recordOf } from './connection-record.js';
import type { Applicant, ClientContext } from './context.js';
import type { InfoBuilder } from './info.js';
import type { ClientLimits } from './limits.js';
import { ReadingTurn } from './reading-turn.js';
import { ClientSession } from './session.js';
import type { ClientTls } from './tls-entrance.js';

/** What the door needs of the house. */
export interface ClientHouse {
  clock: Clock;
  logger: Logger;
  /** Uniform in [0, 1). */
  random: () => number;
  flushQueue: FlushQueue;
  accounts: Accounts;
  authenticator: Authentication;
  info: InfoBuilder;
  limits: ClientLimits;
  /** Bytes of a message that a protocol trace prints at most. */
  tracedBytesMax: number;
}

/** Sums over connections, also over those that are gone. */
export interface Traffic {
  inMessages: number;
  inBytes: number;
  outMessages: number;
  outBytes: number;
  stalls: number;
  /** Connections that were closed since their clients did not take what was sent. */
  slowConsumers: number;
}

function noTraffic(): Traffic {
  return { inMessages: 0, inBytes: 0, outMessages: 0, outBytes: 0, stalls: 0, slowConsumers: 0 };
}

function addTraffic(sum: Traffic, more: Omit<Traffic, 'slowConsumers'>): void {
  sum.inMessages += more.inMessages;
  sum.inBytes += more.inBytes;
  sum.outMessages += more.outMessages;
  sum.outBytes += more.outBytes;
  sum.stalls += more.stalls;
}

/** Told of clients that come and go. */
export interface ClientWatcher {
  /** CONNECT was accepted. */
  onConnected(session: ClientSession): void;
  /** It did not prove who it is. */
  onRefused(session: ClientSession): void;
  /** Also of those who never said who they are. */
  onGone(session: ClientSession): void;
  /** What became of a message that asked for a trace; it is to be told in the account. */
  onTraced(account: Account, trace: MessageTrace): void;
}

/** How somebody comes in. */
export interface Entry {
  who: Applicant;
  mapCertificate: boolean;
}

/** A certificate that was not shown says nothing. */
const NO_NAMES = { emails: [], dnsNames: [], uris: [], subject: [] };

/** Lets clients in, keeps the sessions, and sees them out. */
export class ClientDoor implements ClientContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly flushQueue: FlushQueue;
  readonly accounts: Accounts;
  readonly account: Account;
  readonly info: InfoBuilder;
  readonly limits: ClientLimits;
  /** Changes by a reload. */
  tracedBytesMax: number;
  readonly congestion: Congestion;
  readonly turn: ReadingTurn;
  readonly sessions = new Map<number, ClientSession>();
  readonly closedConnections: ClosedConnections;
  authenticator: Authentication;
  /** Whether the certificates that clients show say who they are. Changes by a reload. */
  mapCertificate = false;
  /** Changes by a reload. */
  tls: ClientTls | null = null;
  watcher: ClientWatcher | null = null;
  /** How clients come in by WebSocket; null is like all others. */
  websocketEntrance: ClientContext | null = null;
  totalConnections = 0;
  staleConnections = 0;
  private readonly gone = noTraffic();
  /** The same by account: there are no more entries than accounts. */
  private readonly goneBy = new Map<string, Traffic>();
  private lastId = 0;
  private sweeping = false;

  constructor(house: ClientHouse) {
    this.clock = house.clock;
    this.logger = house.logger;
    this.random = house.random;
    this.flushQueue = house.flushQueue;
    this.accounts = house.accounts;
    this.account = house.accounts.get(GLOBAL_ACCOUNT)!;
    this.authenticator = house.authenticator;
    this.info = house.info;
    this.limits = house.limits;
    this.tracedBytesMax = house.tracedBytesMax;
    this.congestion = new Congestion(house.clock, () => !this.limits.noProducerStall);
    this.turn = new ReadingTurn(house.clock);
    this.closedConnections = new ClosedConnections(house.limits.closedClientsMax);
  }

  /** A new connection. */
  accept(transport: Transport): void {
    const session = new ClientSession(++this.lastId, transport, this.entranceOf(transport));
    this.totalConnections++;
    const full = this.sessions.size >= this.limits.connectionsMax;
    this.sessions.set(session.id, session);
    this.logger.debug(`${session.label} - Client connection created`);
    session.open(!full);
    if (full) {
      this.logger.error(`${session.label} - ${ErrorText.maximumConnections}`);
      session.close(ClosedReason.maximumConnections, ErrorText.maximumConnections);
      return;
    }
    this.sweepSoon();
  }

  get slowConsumers(): number {
    return this.gone.slowConsumers;
  }

  get authRequired(): boolean {
    return this.authenticator.required;
  }

  get nonceRequired(): boolean {
    return this.authenticator.nonceRequired;
  }

  authenticate(options: Readonly<ConnectOptions>, who: Applicant): Verdict {
    return this.authenticateBy(() => this.authenticator, options, { who, mapCertificate: this.mapCertificate });
  }

  /** Asks the present authenticator: a reload may bring another one while a password is being checked. */
  authenticateBy(present: () => Authentication, options: Readonly<ConnectOptions>, entry: Entry): Verdict {
    const { user, password, token, nkey, jwt, signature } = options;
    const { transport, label, nonce } = entry.who;
    const authenticator = present();
    const verdict = authenticator.authenticate(
      { user, password, token, nkey, jwt, signature },
      {
        type: transport.kind === 'websocket' ? 'WEBSOCKET' : 'STANDARD',
        // Not what a header says: anybody can send one.
        host: transport.remoteAddress,
        nonce: nonce ?? '',
        certificate: entry.mapCertificate ? (transport.tls?.peer ?? NO_NAMES) : null,
        note: (text) => this.logger.debug(`${label} - ${text}`),
        warn: (text) => this.logger.warn(`${label} - ${text}`),
        describe: () => calloutInfoOf(options, entry.who),
      },
    );
    if (!(verdict instanceof Promise)) return verdict;
    return verdict.then(
      (identity) => (authenticator === present() ? identity : this.authenticateBy(present, options, entry)),
      (error) => {
        this.logger.error(`${label} - could not be authenticated: ${describe(error)}`);
        return null;
      },
    );
  }

  /** Where a connection comes in. */
  entranceOf(transport: Transport): ClientContext {
    return (transport.kind === 'websocket' ? this.websocketEntrance : null) ?? this;
  }

  traced(account: Account, trace: MessageTrace): void {
    this.watcher?.onTraced(account, trace);
  }

  connected(id: number): void {
    const session = this.sessions.get(id);
    if (session !== undefined) this.watcher?.onConnected(session);
  }

  refused(id: number): void {
    const session = this.sessions.get(id);
    if (session !== undefined) this.watcher?.onRefused(session);
  }

  /** A session ended. */
  remove(id: number): void {
    const session = this.sessions.get(id);
    if (session === undefined) return;
    this.sessions.delete(id);
    const { name } = session.account;
    const goneHere = this.goneBy.get(name) ?? noTraffic();
    this.goneBy.set(name, goneHere);
    addTraffic(this.gone, session);
    addTraffic(goneHere, session);
    if (isSlow(session)) {
      this.gone.slowConsumers++;
      goneHere.slowConsumers++;
    }
    this.watcher?.onGone(session);
    this.closedConnections.add(recordOf(session, this.clock.nowMs()));
    session.subscriptions.clear();
  }

  /** Sums over all connections there are and were. */
  traffic(): Traffic {
    const sum = { ...this.gone };
    for (const session of this.sessions.values()) addTraffic(sum, session);
    return sum;
  }

  /** The same for each account in which there was any. */
  trafficByAccount(): Map<string, Traffic> {
    const sums = new Map(Array.from(this.goneBy, ([name, gone]) => [name, { ...gone }]));
    for (const session of this.sessions.values()) {
      const { name } = session.account;
      const sum = sums.get(name) ?? noTraffic();
      sums.set(name, sum);
      addTraffic(sum, session);
    }
    return sums;
  }

  /** Tells every client that asked for it what changed. */
  announceInfo(): void {
    for (const session of this.sessions.values()) session.sendInfo();
  }

  closeAll(reason: ClosedReason): void {
    for (const session of [...this.sessions.values()]) session.close(reason);
  }

  /** While there are connections, looks for ones whose peer does not take what is sent. */
  private sweepSoon(): void {
    if (this.sweeping || this.sessions.size === 0) return;
    this.sweeping = true;
    const intervalMs = Math.max(50, Math.min(1000, this.limits.writeDeadlineMs / 4));
    this.clock.after(intervalMs, () => {
      this.sweeping = false;
      this.sweep();
      this.sweepSoon();
    });
  }

  private sweep(): void {
    const deadlineNs = this.clock.monotonicNs() - this.limits.writeDeadlineMs * 1e6;
    for (const session of this.sessions.values()) {
      const sinceNs = session.outbound.sendingSinceNs;
      if (sinceNs === 0 || sinceNs > deadlineNs) continue;
      const { writeDeadlineMs } = this.limits;
      this.logger.info(`${session.label} - Slow Consumer Detected: WriteDeadline of ${writeDeadlineMs}ms exceeded`);
      session.close(ClosedReason.slowConsumerWriteDeadline);
    }
  }
}

function isSlow({ closedReason }: ClientSession): boolean {
  return (
    closedReason === ClosedReason.slowConsumerPendingBytes || closedReason === ClosedReason.slowConsumerWriteDeadline
  );
}
