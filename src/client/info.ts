import { API_LEVEL, VERSION } from '../base/version.js';
import type { Account } from '../broker/account.js';
import type { Transport } from '../net/transport.js';

/** What INFO says about the server and never changes while it runs. */
export interface ServerIdentity {
  /** A 56-character nkey that starts with `N`. */
  id: string;
  name: string;
  host: string;
  port: number;
}

/** What INFO says about the server and may change. */
export interface InfoState {
  /** What the first INFO says, and what later ones do. */
  authRequired(): boolean;
  guarded(): boolean;
  tlsRequired(): boolean;
  tlsVerify(): boolean;
  tlsAvailable(): boolean;
  headers(): boolean;
  /** The domain of the streams, which may be empty; null without streams. */
  jetstream(): string | null;
  /** `host:port` of every server that clients may connect to, in this client's own way. */
  connectUrls(): readonly string[];
  lameDuck(): boolean;
  isSystem(account: string): boolean;
}

/** Whom an INFO is for: a session. */
interface Addressee {
  readonly id: number;
  readonly transport: Transport;
  readonly account: Account;
  readonly remoteHost: string;
  readonly nonce: string | null;
  readonly membership: { readonly payloadBytesMax: number };
}

/** Makes INFO objects, keys in nats-server's order. */
export class InfoBuilder {
  readonly identity: ServerIdentity;
  private readonly state: InfoState;

  constructor(identity: ServerIdentity, state: InfoState) {
    this.identity = identity;
    this.state = state;
  }

  /** The first line of every connection. */
  first(session: Addressee, tlsRequired: boolean): object {
    return this.build(
      session,
      { nonce: session.nonce ?? undefined },
      { auth: this.state.authRequired(), tls: tlsRequired },
    );
  }

  /** The second INFO, after the first PONG: what became of the CONNECT. */
  connected(session: Addressee): object {
    return this.build(session, {
      connect_info: true,
      remote_account: session.account.name,
      acc_is_sys: this.state.isSystem(session.account.name) || undefined,
    });
  }

  /** An INFO in between: addresses changed, or the server is about to go. */
  changed(session: Addressee): object {
    return this.build(session, {});
  }

  /** Tells one client to go elsewhere. */
  leaving(session: Addressee): object {
    return this.build(session, { ldm: true });
  }

  private build(
    session: Addressee,
    last: { nonce?: string | undefined; [key: string]: unknown },
    required = { auth: this.state.guarded(), tls: this.state.tlsRequired() },
  ): object {
    const { nonce, ...more } = last;
    const { identity, state } = this;
    const urls = state.connectUrls();
    const domain = state.jetstream();
    return {
      server_id: identity.id,
      server_name: identity.name,
      version: VERSION,
      proto: 1,
      go: `node${process.versions.node}`,
      host: identity.host,
      port: identity.port,
      headers: state.headers(),
      auth_required: required.auth || undefined,
      tls_required: required.tls || undefined,
      tls_verify: state.tlsVerify() || undefined,
      tls_available: state.tlsAvailable() || undefined,
      max_payload: session.membership.payloadBytesMax,
      jetstream: domain === null ? undefined : true,
      client_id: session.id,
      client_ip: session.remoteHost,
      nonce,
      domain: domain || undefined,
      connect_urls: urls.length > 0 ? urls : undefined,
      ldm: state.lameDuck() || undefined,
      api_lvl: domain === null ? undefined : API_LEVEL,
      ...more,
    };
  }
}
