import type { Authentication, Verdict } from '../auth/authentication.js';
import type { Account } from '../broker/account.js';
import type { MessageTrace } from '../broker/message-trace.js';
import type { ConnectOptions } from './connect-options.js';
import type { Applicant, ClientContext } from './context.js';
import type { ClientDoor } from './door.js';
import type { InfoBuilder } from './info.js';
import type { ClientLimits } from './limits.js';

/** Names of the cookies that carry credentials; empty is none. */
export interface CredentialCookies {
  user: string;
  password: string;
  token: string;
  jwt: string;
}

/** Where clients that come by WebSocket are treated otherwise than others. */
export interface EntranceSettings {
  info: InfoBuilder;
  cookies: CredentialCookies;
  /** Null is as for others. */
  authenticator: Authentication | null;
  /** What is absent is as for others. */
  limits: Partial<Pick<ClientLimits, 'pingIntervalMs' | 'authTimeoutMs'>>;
}

/** How clients come in by WebSocket: by the door, with rules of their own. */
export class WebSocketEntrance implements ClientContext {
  readonly info: InfoBuilder;
  /** Changes by a reload. */
  authenticator: Authentication | null;
  /** Whether the certificates that clients show say who they are. Changes by a reload. */
  mapCertificate = false;
  private readonly door: ClientDoor;
  private readonly settings: EntranceSettings;

  constructor(door: ClientDoor, settings: EntranceSettings) {
    this.door = door;
    this.settings = settings;
    this.info = settings.info;
    this.authenticator = settings.authenticator;
  }

  get clock() {
    return this.door.clock;
  }

  get logger() {
    return this.door.logger;
  }

  get random() {
    return this.door.random;
  }

  get flushQueue() {
    return this.door.flushQueue;
  }

  get turn() {
    return this.door.turn;
  }

  get accounts() {
    return this.door.accounts;
  }

  get account() {
    return this.door.account;
  }

  get limits(): ClientLimits {
    return { ...this.door.limits, ...this.settings.limits };
  }

  get tracedBytesMax(): number {
    return this.door.tracedBytesMax;
  }

  get congestion() {
    return this.door.congestion;
  }

  get authRequired(): boolean {
    return (this.authenticator ?? this.door.authenticator).required;
  }

  get nonceRequired(): boolean {
    return (this.authenticator ?? this.door.authenticator).nonceRequired;
  }

  /** The listener has done that. */
  readonly tls = null;

  get staleConnections(): number {
    return this.door.staleConnections;
  }

  set staleConnections(count: number) {
    this.door.staleConnections = count;
  }

  /** What CONNECT leaves out may be in a cookie: a page's script need not know it. */
  authenticate(options: Readonly<ConnectOptions>, who: Applicant): Verdict {
    const { cookies } = this.settings;
    const cookie = (name: string) => (name === '' ? '' : (who.transport.upgrade?.cookies.get(name) ?? ''));
    const complete = {
      ...options,
      user: options.user || cookie(cookies.user),
      password: options.password || cookie(cookies.password),
      token: options.token || cookie(cookies.token),
      jwt: options.jwt || cookie(cookies.jwt),
    };
    const { door, mapCertificate } = this;
    return door.authenticateBy(() => this.authenticator ?? door.authenticator, complete, { who, mapCertificate });
  }

  traced(account: Account, trace: MessageTrace): void {
    this.door.traced(account, trace);
  }

  connected(id: number): void {
    this.door.connected(id);
  }

  refused(id: number): void {
    this.door.refused(id);
  }

  remove(id: number): void {
    this.door.remove(id);
  }
}
