import { Authenticator } from '../auth/authenticator.js';
import { type Clock, systemClock } from '../base/clock.js';
import { Failure } from '../base/failure.js';
import { type Logger, silentLogger } from '../base/logger.js';
import { VERSION, WEIR_VERSION } from '../base/version.js';
import { Account } from '../broker/account.js';
import { ClosedReason } from '../client/closed-reason.js';
import { ClientDoor } from '../client/door.js';
import { InfoBuilder, type ServerIdentity } from '../client/info.js';
import { defaultOptions, type Options } from '../config/options.js';
import { PluginApi } from '../host/plugin-api.js';
import { PluginHost } from '../host/plugin-host.js';
import { FlushQueue } from '../net/flush-queue.js';
import { TcpListener } from '../net/tcp-listener.js';
import { ApiResponder } from './api-responder.js';
import { limitsOf } from './limits.js';
import type { ListenUrls } from './ports-file.js';
import { newServerId } from './server-id.js';

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
export class Server {
  readonly options: Options;
  readonly identity: ServerIdentity;
  readonly account: Account;
  readonly host: PluginHost;
  readonly door: ClientDoor;
  readonly startedMs: number;
  private readonly logger: Logger;
  private readonly clock: Clock;
  private readonly listener: TcpListener;
  private state: 'new' | 'running' | 'stopping' | 'stopped' = 'new';
  private isLameDuck = false;
  private monitor: { close(): Promise<void>; host: string; port: number } | null = null;

  constructor({ options = {}, logger = silentLogger, clock = systemClock, random = Math.random }: ServerSettings = {}) {
    this.options = { ...defaultOptions(), host: '127.0.0.1', port: 0, ...options };
    this.logger = logger;
    this.clock = clock;
    this.startedMs = clock.nowMs();
    const id = newServerId();
    this.identity = { id, name: this.options.serverName || id, host: this.options.host, port: this.options.port };
    this.host = new PluginHost({ clock, payloadBytesMax: () => this.options.payloadBytesMax });
    this.account = new Account('$G', this.host, random);
    this.door = new ClientDoor({
      clock,
      logger,
      random,
      flushQueue: new FlushQueue(() => clock.monotonicNs()),
      account: this.account,
      authenticator: new Authenticator(this.options.authorization),
      info: this.infoBuilder(),
      limits: limitsOf(this.options),
      tracedBytesMax: this.options.log.tracedBytesMax,
    });
    this.listener = new TcpListener((transport) => this.door.accept(transport));
  }

  /** Opens the listeners. Rejects with a `Failure` when a port is taken; then nothing stays open. */
  async start(): Promise<void> {
    if (this.state !== 'new') throw new Failure('server-state', `cannot start: the server is ${this.state}`);
    this.logStart();
    new ApiResponder(this.account, new PluginApi(this.host));
    const { host, port, monitoring } = this.options;
    await this.listener.listen(host, port);
    this.state = 'running';
    this.identity.port = this.listener.port;
    this.logger.info(`Listening for client connections on ${hostPort(host, this.listener.port)}`);
    this.logger.info('Server is ready');
    if (monitoring !== null) await this.startMonitoring(monitoring);
    await this.startPlugins();
  }

  /** `nats://host:port` for clients on this machine. */
  get clientUrl(): string {
    return `nats://${hostPort(localHost(this.options.host), this.listener.port)}`;
  }

  /** Where everything listens. */
  get urls(): ListenUrls {
    const { monitor } = this;
    const monitoring = monitor === null ? [] : [`http://${hostPort(localHost(monitor.host), monitor.port)}`];
    return { nats: [this.clientUrl], monitoring };
  }

  /** Whether the server is about to go. */
  get lameDuckMode(): boolean {
    return this.isLameDuck;
  }

  /** Closes every connection and listener. May be called twice. */
  async stop(): Promise<void> {
    if (this.state === 'stopped') return;
    this.state = 'stopping';
    this.logger.info('Initiating Shutdown...');
    await this.listener.close();
    this.door.closeAll(ClosedReason.serverShutdown);
    await Promise.all([this.monitor?.close(), this.host.close(), this.door.authenticator.close()]);
    this.state = 'stopped';
    this.logger.info('Server Exiting..');
  }

  /** Lets clients move on to other servers: tells them, waits, closes them a few at a time, and stops. */
  async lameDuck(): Promise<void> {
    if (this.isLameDuck || this.state !== 'running') return;
    this.isLameDuck = true;
    this.logger.info('Entering lame duck mode, stop accepting new clients');
    await this.listener.close();
    this.door.announceInfo();
    const { lameDuckDurationMs, lameDuckGraceMs } = this.options;
    if (this.door.sessions.size > 0) await this.wait(lameDuckGraceMs);
    const rest = Math.max(0, lameDuckDurationMs - lameDuckGraceMs);
    const sessions = [...this.door.sessions.values()];
    const pauseMs = Math.min(1000, rest / Math.max(1, sessions.length));
    for (const session of sessions) {
      if (this.state !== 'running') return;
      session.close(ClosedReason.serverShutdown);
      if (this.door.sessions.size > 0) await this.wait(pauseMs);
    }
    await this.stop();
  }

  private async startMonitoring({ host, port }: NonNullable<Options['monitoring']>): Promise<void> {
    const { MonitorServer } = await import('../monitor/monitor-server.js');
    const { ServerSource } = await import('./monitor-source.js');
    const monitor = new MonitorServer(new ServerSource(this));
    await monitor.listen(host || this.options.host, port);
    this.monitor = monitor;
    this.logger.info(`Starting http monitor on ${hostPort(host || this.options.host, monitor.port)}`);
  }

  /** What the configuration file declares. A plugin that cannot run is said, and the server stays up. */
  private async startPlugins(): Promise<void> {
    const { plugins } = this.options;
    if (plugins.modules.length === 0 && plugins.attachments.length === 0) {
      this.host.attachments.setEnabled(plugins.enabled);
      return;
    }
    const { readFile } = await import('node:fs/promises');
    const problems = await this.host.reconcile(plugins, readFile);
    for (const problem of problems) this.logger.error(`Plugins: ${problem}`);
    this.logger.info(
      `Plugins: ${this.host.registry.names().length} installed, ${this.host.attachments.all().length} attached`,
    );
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(ms, resolve);
    });
  }

  private logStart(): void {
    const { logger, options, identity } = this;
    logger.info('Starting nats-server');
    logger.info(`  Version:  ${VERSION} (Weir ${WEIR_VERSION})`);
    logger.info(`  Name:     ${identity.name}`);
    logger.info(`  ID:       ${identity.id}`);
    if (options.configFile !== '')
      logger.info(`Using configuration file: ${options.configFile} (${options.configDigest})`);
  }

  private infoBuilder(): InfoBuilder {
    return new InfoBuilder(this.identity, {
      authRequired: () => this.door.authenticator.required,
      tlsRequired: () => false,
      tlsAvailable: () => false,
      payloadBytesMax: () => this.options.payloadBytesMax,
      headers: () => this.options.headers,
      connectUrls: () => (this.isLameDuck || this.options.clientAdvertise === '' ? [] : [this.options.clientAdvertise]),
      websocketConnectUrls: () => [],
      lameDuck: () => this.isLameDuck,
    });
  }
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An address to reach a listener by that listens on all of them. */
function localHost(host: string): string {
  return host === '0.0.0.0' || host === '::' || host === '' ? '127.0.0.1' : host;
}
