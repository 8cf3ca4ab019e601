import { Authenticator } from '../auth/authenticator.js';
import { InfoBuilder } from '../client/info.js';
import { WebSocketEntrance } from '../client/websocket-entrance.js';
import type { WebSocketOptions } from '../config/options.js';
import { WebSocketListener } from '../net/websocket-listener.js';
import { bindHost } from './addresses.js';
import type { ServerParts } from './server-parts.js';

/** One message may carry this many of the largest payloads, up to a limit of its own. */
const PAYLOADS_PER_MESSAGE = 8;
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;

/** The port for WebSocket clients, and how they come in. */
export class WebSocketDoor {
  readonly listener: WebSocketListener;
  readonly entrance: WebSocketEntrance;

  constructor(parts: ServerParts, options: WebSocketOptions) {
    const { door, logger, identity, infoState } = parts;
    const own = () => this.entrance.authenticator ?? door.authenticator;
    const state = {
      ...infoState,
      authRequired: () => own().announced,
      guarded: () => own().guarded,
      tlsRequired: () => options.tls !== null,
      tlsVerify: () => options.tls?.verify ?? false,
      tlsAvailable: () => false,
      connectUrls: () => (parts.lameDuckMode || options.advertise === '' ? [] : [options.advertise]),
    };
    const { host } = options;
    this.listener = new WebSocketListener(
      {
        ...options,
        host: bindHost(host),
        messageBytesMax: () => Math.min(MESSAGE_BYTES_MAX, PAYLOADS_PER_MESSAGE * door.limits.payloadBytesMax),
        whyNotPath,
      },
      {
        onConnection: (transport) => door.accept(transport),
        onRefused: (text) => logger.error(text),
      },
    );
    const { listener } = this;
    const address = {
      id: identity.id,
      name: identity.name,
      host,
      get port() {
        return listener.port;
      },
    };
    const { userCookie: user, passwordCookie: password, tokenCookie: token, authorization } = options;
    const { pingIntervalMs, authTimeoutMs } = options;
    this.entrance = new WebSocketEntrance(door, {
      info: new InfoBuilder(address, state),
      cookies: { user, password, token, jwt: options.jwtCookie },
      authenticator: authorization === null ? null : new Authenticator(authorization),
      limits: {
        ...(pingIntervalMs === null ? {} : { pingIntervalMs }),
        ...(authTimeoutMs === null ? {} : { authTimeoutMs }),
      },
    });
    this.entrance.mapCertificate = options.tls?.map ?? false;
  }

  async open(parts: ServerParts): Promise<void> {
    await this.listener.listen();
    parts.door.websocketEntrance = this.entrance;
  }

  async close(): Promise<void> {
    await Promise.all([this.listener.close(), this.entrance.authenticator?.close()]);
  }
}

/** Leaf nodes and MQTT clients ask for paths of their own, also behind a prefix. */
function whyNotPath(path: string): string | null {
  if (path.endsWith('/leafnode')) return 'leafnode connections are not supported yet';
  return path.endsWith('/mqtt') ? 'mqtt websocket endpoint not enabled: MQTT is not supported yet' : null;
}
