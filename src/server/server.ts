import type { AccountClaims } from '../auth/account-claims.js';
import { isBcrypt } from '../auth/authenticator.js';
import { GLOBAL_ACCOUNT } from '../auth/identity.js';
import { type Clock, systemClock } from '../base/clock.js';
import { Failure } from '../base/failure.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { VERSION, WEIR_VERSION } from '../base/version.js';
import type { Account } from '../broker/account.js';
import { Accounts } from '../broker/accounts.js';
import { ClosedReason } from '../client/closed-reason.js';
import { ClientDoor } from '../client/door.js';
import { enforceAccount, expireAccount } from '../client/enforce.js';
import { InfoBuilder, type InfoState, type ServerIdentity } from '../client/info.js';
import { defaultOptions, type Options } from '../config/options.js';
import { splitAddress } from '../config/validate.js';
import { DeclaredPlugins } from '../host/declared-plugins.js';
import type { PluginHost } from '../host/plugin-host.js';
import { BusyPoll } from '../net/busy-poll.js';
import { FlushQueue } from '../net/flush-queue.js';
import { Audit } from './audit.js';
import { authenticationOf } from './authentication.js';
import { clientTls } from './client-tls.js';
import { seeClientsOff } from './lame-duck.js';
import { limitsOf } from './limits.js';
import { Listeners } from './listeners.js';
import { OperatorAccounts } from './operator-accounts.js';
import { PluginHosts } from './plugin-hosts.js';
import type { ListenUrls } from './ports-file.js';
import { newServerKey, type ServerKey } from './server-key.js';
import type { ServerParts } from './server-parts.js';
import type { JetStream } from './streams.js';
import { SystemEvents } from './system-events.js';
import { type SystemActions, SystemService } from './system-service.js';

/** How long a stop waits for clients to take the last words. */
const HANG_UP_MS = 1_000;

/** What a server is made with; everything may be left out. */
export interface ServerSettings {
  options?: Partial<Options>;
  logger?: Logger;
  clock?: Clock;
  /** Uniform in [0, 1). */
  random?: () => number;
}

/**
 * A whole broker. `start` opens its listeners, `stop` leaves nothing behind.
 *
 * ```ts
 * const server = new Server();           // a random port on 127.0.0.1
 * await server.start();
 * const connection = await connect({ servers: server.clientUrl });
 * await server.stop();
 * ```
 */
export class Server implements ServerParts {
  readonly options: Options;
  readonly identity: ServerIdentity;
  readonly accounts: Accounts;
  readonly account: Account;
  operator: OperatorAccounts | null = null;
  readonly hosts: PluginHosts;
  /** That of the global account. */
  readonly host: PluginHost;
  readonly door: ClientDoor;
  readonly key: ServerKey;
  readonly startedMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly infoState: InfoState;
  configLoadedMs: number;
  lameDuckMode = false;
  private readonly listeners: Listeners;
  private readonly system: SystemService;
  private readonly events: SystemEvents;
  /** Who changed what. */
  readonly audit: Audit;
  /** Reads the configuration again, for whoever asks for that in the system account; null where nobody can. */
  onReloadRequest: ((by: object) => Promise<void>) | null = null;
  private readonly plugins: DeclaredPlugins;
  private readonly random: () => number;
  streams: JetStream | null = null;
  private starting: Promise<void> | null = null;
  private stopping: Promise<void> | null = null;

  constructor({ options = {}, logger = silentLogger, clock = systemClock, random = Math.random }: ServerSettings = {}) {
    this.options = { ...defaultOptions(), host: '127.0.0.1', port: 0, ...options };
    this.logger = logger;
    this.clock = clock;
    this.random = random;
    this.startedMs = clock.nowMs();
    this.configLoadedMs = this.startedMs;
    this.key = newServerKey();
    const { id } = this.key;
    this.identity = { id, name: this.options.serverName || id, host: this.options.host, port: this.options.port };
    this.infoState = this.makeInfoState();
    this.hosts = new PluginHosts({ clock, logger, options: () => this.options });
    this.host = this.hosts.of(GLOBAL_ACCOUNT)!;
    this.plugins = new DeclaredPlugins(this.host);
    this.accounts = new Accounts({
      ...{ clock, random, fewRoutes: this.options.edge },
      plugins: (name) => this.hosts.of(name),
    });
    this.accounts.apply(this.options.accounts);
    this.account = this.accounts.get(GLOBAL_ACCOUNT)!;
    this.operator = this.makeOperator();
    const monotonicNs = () => clock.monotonicNs();
    this.door = new ClientDoor({
      clock,
      logger,
      random,
      flushQueue: new FlushQueue(monotonicNs, new BusyPoll(monotonicNs, this.options.busyPollMs)),
      accounts: this.accounts,
      authenticator: authenticationOf(this),
      info: new InfoBuilder(this.identity, this.infoState),
      limits: limitsOf(this.options),
      tracedBytesMax: this.options.log.tracedBytesMax,
    });
    this.door.tls = clientTls(this.options, clock);
    this.door.mapCertificate = this.options.tls?.map ?? false;
    this.listeners = new Listeners(this);
    this.system = new SystemService(this, () => this.listeners.source(), this.systemActions());
    this.events = new SystemEvents(this, this.system);
    this.audit = new Audit(this, this.events);
    this.hosts.onChange = (account, entry, by) => this.audit.pluginChange(account, entry, by);
    this.door.watcher = this.events;
  }

  /** Opens the ports. Rejects with a `Failure` when one is taken or a declared plugin cannot run; then nothing stays open. */
  async start(): Promise<void> {
    if (this.starting !== null) throw new Failure('server-state', 'cannot start: the server was started before');
    this.starting = this.open();
    try {
      await this.starting;
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  /** `nats://host:port` for clients on this machine. */
  get clientUrl(): string {
    return this.listeners.clientUrl;
  }

  /** Where everything listens. */
  get urls(): ListenUrls {
    return this.listeners.urls;
  }

  /** Closes every connection and port. May be called twice. */
  stop(): Promise<void> {
    this.stopping ??= this.close();
    return this.stopping;
  }

  /** Lets clients move on to other servers: tells them, waits, closes them a few at a time, and stops. */
  async lameDuck(): Promise<void> {
    if (this.lameDuckMode || this.starting === null || this.stopping !== null) return;
    this.lameDuckMode = true;
    this.logger.info('Entering lame duck mode, stop accepting new clients');
    await this.listeners.closeClients();
    this.door.announceInfo();
    this.events.lameDuck();
    await seeClientsOff(this, () => this.stopping !== null);
    await this.stop();
  }

  /** Goes on with other options: with all of them, or rejects with a `Failure` and changes nothing. `switchLog` is called when nothing can fail any more. */
  async reload(options: Options, switchLog: () => void = () => {}): Promise<void> {
    const [{ reload }, { readFile }] = await Promise.all([import('./reload.js'), import('node:fs/promises')]);
    await reload(this, options, {
      plugins: this.plugins,
      websocket: this.listeners.websocket,
      readFile,
      renewMonitor: () => this.listeners.renewMonitor(),
      setAdvertised: () => this.setAdvertised(),
      switchLog,
    });
    this.hosts.configure();
    this.configLoadedMs = this.clock.nowMs();
  }

  private async open(): Promise<void> {
    const { logger, options } = this;
    this.logStart();
    this.setAdvertised();
    // Before the first client: no message may pass by a plugin that is declared.
    await this.startPlugins();
    if (options.jetstream) await this.startStreams();
    await this.hosts.useStreams((account) => this.streams?.forPlugins(account) ?? null);
    await this.listeners.open();
    this.setAdvertised();
    this.events.start();
    logger.info('Server is ready');
  }

  private async startStreams(): Promise<void> {
    const { JetStream } = await import('./streams.js');
    this.streams = new JetStream(this, this.random);
    await this.streams.start();
  }

  private async close(): Promise<void> {
    // A start that fails closes what it opened.
    await this.starting?.catch(() => {});
    this.logger.info('Initiating Shutdown...');
    await this.events.stop();
    await this.release();
    this.logger.info('Server Exiting..');
  }

  private async release(): Promise<void> {
    await this.listeners.closeClients();
    // Plugins' last words go out while there is someone to hear them.
    await this.hosts.close();
    this.streams?.dismiss();
    const transports = Array.from(this.door.sessions.values(), (session) => session.transport);
    this.door.closeAll(ClosedReason.serverShutdown);
    await Promise.all([this.listeners.close(), this.door.authenticator.close()]);
    // Who does not take what is still to be sent, or does not hang up, is cut off.
    const impatience = this.clock.after(HANG_UP_MS, () => {
      for (const transport of transports) transport.destroy();
    });
    await this.listeners.drained();
    await this.streams?.stop();
    impatience.cancel();
  }

  /** INFO tells clients the address that they are to use. */
  private setAdvertised(): void {
    const { clientAdvertise, host } = this.options;
    const advertised = clientAdvertise === '' ? null : splitAddress(clientAdvertise);
    const port = this.listeners.clients.port;
    this.identity.host = advertised?.host ?? host;
    this.identity.port = advertised?.port || port;
  }

  private async startPlugins(): Promise<void> {
    const { plugins } = this.options;
    this.hosts.compilesHere = this.options.edge;
    await this.hosts.open(this.accounts);
    if (plugins.modules.length > 0) {
      const { readFile } = await import('node:fs/promises');
      await this.plugins.install(plugins, readFile);
    }
    this.plugins.attach(plugins);
    this.hosts.compilesHere = false;
    const sum = (count: (host: PluginHost) => number) => this.hosts.all().reduce((n, [, host]) => n + count(host), 0);
    const attached = sum(({ attachments }) => attachments.size);
    if (attached === 0) return;
    this.logger.info(`Plugins: ${sum(({ registry }) => registry.names().length)} installed, ${attached} attached`);
  }

  private logStart(): void {
    const { logger, options, identity } = this;
    logger.info('Starting nats-server');
    logger.info(`  Version:  ${VERSION} (Weir ${WEIR_VERSION})`);
    logger.info(`  Name:     ${identity.name}`);
    logger.info(`  ID:       ${identity.id}`);
    if (hasPlainPassword(options)) logger.warn('Plaintext passwords detected, use nkeys or bcrypt');
    if (options.configFile !== '')
      logger.info(`Using configuration file: ${options.configFile} (${options.configDigest})`);
    for (const notice of options.notices) logger.warn(notice);
  }

  private makeOperator(): OperatorAccounts | null {
    const { options, accounts, clock, logger } = this;
    if (options.operator === null) return null;
    const onChanged = (claims: AccountClaims) => void enforceAccount(this.door, claims);
    const onExpired = (account: string) => expireAccount(this.door, account);
    const onTaken = (account: string) => void this.streams?.arrange(account);
    return new OperatorAccounts(options.operator, { accounts, clock, logger, onTaken, onChanged, onExpired });
  }

  private systemActions(): SystemActions {
    const { sessions } = this.door;
    return {
      reload: async (by) => {
        if (this.onReloadRequest === null) throw new Failure('reload-unsupported', 'there is no configuration file');
        await this.onReloadRequest(by);
      },
      kick: (id) => {
        const session = sessions.get(id);
        session?.close(ClosedReason.kicked);
        return session !== undefined;
      },
      lameDuckClient: (id) => {
        const session = sessions.get(id);
        session?.sendLeave();
        return session !== undefined;
      },
    };
  }

  private makeInfoState(): InfoState {
    return {
      authRequired: () => this.door.authenticator.announced,
      guarded: () => this.door.authenticator.guarded,
      tlsRequired: () => this.options.tls !== null && !this.options.allowNonTls,
      tlsVerify: () => this.options.tls?.verify ?? false,
      tlsAvailable: () => this.options.tls !== null && this.options.allowNonTls,
      headers: () => this.options.headers,
      jetstream: () => (this.options.jetstream ? this.options.streams.domain : null),
      // Those of the servers of a cluster; a server that is alone names none, as nats-server.
      connectUrls: () => [],
      lameDuck: () => this.lameDuckMode,
      isSystem: (account) => account === this.options.systemAccount,
    };
  }
}

function hasPlainPassword({ authorization, websocket }: Options): boolean {
  const users = [...authorization.users, ...(websocket?.authorization?.users ?? [])];
  return users.some(({ password }) => password !== '' && !isBcrypt(password));
}
