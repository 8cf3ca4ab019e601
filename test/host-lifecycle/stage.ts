import { connect, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import type { Options } from '../../src/config/options.js';
import { Server, type ServerSettings } from '../../src/server/server.js';
import { type GuestParts, guest } from '../hostile/guest.js';

export interface ApiAnswer {
  error?: { code: number; err_code: number; description: string };
  [key: string]: unknown;
}

/** A guest whose verdict is the given one; other bytes for each `mark`. */
export function verdictGuest(verdict: number, mark = 0, parts: GuestParts = {}): Promise<Uint8Array> {
  return guest({ message: `(drop (i32.const ${mark})) i32.const ${verdict}`, ...parts });
}

/** A server and someone who talks to its control API. */
export class Stage {
  readonly server: Server;
  readonly client: NatsConnection;

  private constructor(server: Server, client: NatsConnection) {
    this.server = server;
    this.client = client;
  }

  static async open(
    options: Partial<Options> = {},
    settings: ServerSettings = {},
    login: { user: string; pass: string } | null = null,
  ): Promise<Stage> {
    const server = new Server({ ...settings, options });
    await server.start();
    return new Stage(server, await connect({ servers: server.clientUrl, ...login }));
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.server.stop();
  }

  async api(operation: string, body: object | Uint8Array | string = '', offset?: number): Promise<ApiAnswer> {
    return callApi(this.client, operation, body, offset);
  }

  /** As `api`; the answer must not be an error. */
  async done(operation: string, body: object | Uint8Array | string = ''): Promise<ApiAnswer> {
    const answer = await this.api(operation, body);
    if (answer.error !== undefined) throw new Error(`${operation}: ${answer.error.description}`);
    return answer;
  }

  /** Installs under a name and attaches under the same to `<name>.in`. */
  async bring(name: string, wasm: Uint8Array, definition: object = {}): Promise<void> {
    await this.done(`PLUGIN.INSTALL.${name}`, wasm);
    await this.done(`ATTACHMENT.CREATE.${name}`, { plugin: name, subject: `${name}.in`, ...definition });
  }

  /** What arrives on a subject from now on. */
  async listen(subject: string): Promise<Msg[]> {
    const arrived: Msg[] = [];
    this.client.subscribe(subject, { callback: (_, message) => void arrived.push(message) });
    await this.client.flush();
    return arrived;
  }
}

export async function callApi(
  client: NatsConnection,
  operation: string,
  body: object | Uint8Array | string = '',
  offset?: number,
): Promise<ApiAnswer> {
  const payload = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  const block = headers();
  if (offset !== undefined) block.set('Weir-Offset', String(offset));
  const answer = await client.request(`$WEIR.API.${operation}`, payload, {
    timeout: 30_000,
    ...(offset === undefined ? {} : { headers: block }),
  });
  return answer.json<ApiAnswer>();
}
