import { readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node';
import type { Command } from 'commander';
import { describe, Failure } from '../base/failure.js';
import { UsageFailure } from './usage-failure.js';

/** Where a command connects to, and as whom. */
export interface ConnectionOptions {
  server: string;
  user?: string;
  password?: string;
  token?: string;
  /** Path of a credentials file (user JWT and seed). */
  creds?: string;
}

/** Where commands look for a server that nobody names. */
export const defaultServer = 'nats://127.0.0.1:4222';
const connectTimeoutMs = 5_000;

/** Adds the options that every command with a connection takes. */
export function withConnection(command: Command): Command {
  return command
    .option('-s, --server <url>', 'server to connect to (env NATS_URL)', process.env.NATS_URL || defaultServer)
    .option('--user <name>', 'user name')
    .option('--password <password>', 'password of the user')
    .option('--token <token>', 'authorization token')
    .option('--creds <file>', 'credentials file: user JWT and seed');
}

interface Address {
  /** As in the URL, without user and password. */
  server: string;
  user?: string;
  pass?: string;
  token?: string;
}

/** Takes `host`, `host:port` or `nats://[user:password@]host[:port]` (also tls, ws, wss). */
function parseAddress(text: string): Address {
  const url = parseUrl(text);
  if (url === null || url.hostname === '') {
    throw new UsageFailure('server-url', `invalid server URL "${text}": expected a form such as ${defaultServer}`);
  }
  const server = `${url.protocol}//${url.hostname}:${url.port || '4222'}`;
  if (url.username === '') return { server };
  const user = decodeURIComponent(url.username);
  return url.password === '' ? { server, token: user } : { server, user, pass: decodeURIComponent(url.password) };
}

function parseUrl(text: string): URL | null {
  const address = text.includes('://') ? text : `nats://${text}`;
  return URL.canParse(address) ? new URL(address) : null;
}

async function credentials(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UsageFailure('credentials-file', `cannot read credentials file "${path}": ${describe(error)}`, {
      cause: error,
    });
  }
}

async function authentication(options: ConnectionOptions): Promise<NodeConnectionOptions> {
  if (options.creds !== undefined) {
    const { credsAuthenticator } = await import('@nats-io/transport-node');
    return { authenticator: credsAuthenticator(await credentials(options.creds)) };
  }
  if (options.token !== undefined) return { token: options.token };
  if (options.user === undefined) return {};
  return options.password === undefined ? { user: options.user } : { user: options.user, pass: options.password };
}

function connectFailure(server: string, error: unknown): Failure {
  const text = describe(error);
  const hint = /refused/i.test(text) ? '; no server listens there (start one with: weir serve)' : '';
  return new Failure('connect', `cannot connect to ${server}: ${text}${hint}`, { cause: error });
}

/** Connects, or throws a Failure `connect` that names the URL. The connection reconnects only if asked to, then without end. */
export async function openConnection(options: ConnectionOptions, reconnect = false): Promise<NatsConnection> {
  const { server, ...fromUrl } = parseAddress(options.server);
  const { connect } = await import('@nats-io/transport-node');
  const settings = { ...fromUrl, ...(await authentication(options)) };
  try {
    return await connect({
      servers: server,
      name: 'weir',
      reconnect,
      maxReconnectAttempts: -1,
      timeout: connectTimeoutMs,
      ...settings,
    });
  } catch (error) {
    throw connectFailure(server, error);
  }
}

/** Runs `work` with a connection that is closed afterwards, whatever happens. */
export async function withOpenConnection<T>(
  options: ConnectionOptions,
  work: (connection: NatsConnection) => Promise<T>,
): Promise<T> {
  const connection = await openConnection(options);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

/** Whether a request failed because nobody is subscribed to its subject. */
export function isNoResponders(error: Error): boolean {
  return [error, error.cause].some((found) => found instanceof Error && found.name === 'NoResponders');
}

/** Errors that the server reports on a connection, such as a denied publish: NATS sends them apart from any reply. */
export class ServerErrors {
  first: Error | null = null;
  private readonly connection: NatsConnection;

  constructor(connection: NatsConnection) {
    this.connection = connection;
    void this.collect();
  }

  /** Resolves when the server has taken everything sent so far; throws the error that it had about it. */
  async settle(): Promise<void> {
    // The server answers in order: an error about what was sent arrives before the answer to the flush, and the client hands
    // it on in the same turn.
    await this.connection.flush();
    await nextTurn();
    if (this.first !== null) throw this.first;
  }

  /** Ends when the connection closes. */
  private async collect(): Promise<void> {
    for await (const status of this.connection.status()) if (status.type === 'error') this.first ??= status.error;
  }
}
