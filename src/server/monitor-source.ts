import { VERSION } from '../base/version.js';
import { type ConnectionRecord, recordOf } from '../client/connection-record.js';
import { snapshotOfAttachment, snapshotOfPlugin } from '../host/snapshot.js';
import type { ConnectionSnapshot, MonitorSource, PluginsSnapshot, ServerSnapshot } from '../monitor/snapshots.js';
import type { ServerParts } from './server-parts.js';

/** The server's state as plain values for monitoring. */
export class ServerSource implements MonitorSource {
  private readonly instance: ServerParts;

  constructor(instance: ServerParts) {
    this.instance = instance;
  }

  server(): ServerSnapshot {
    const { identity, options, door, account, startedMs } = this.instance;
    const traffic = door.traffic();
    return {
      id: identity.id,
      name: identity.name,
      version: VERSION,
      host: options.host,
      port: identity.port,
      authRequired: door.authenticator.required,
      startedMs,
      connections: door.sessions.size,
      totalConnections: door.totalConnections,
      subscriptions: account.subscriptions,
      cachedRoutes: account.cachedRoutes,
      slowConsumers: door.slowConsumers,
      staleConnections: door.staleConnections,
      connectionsMax: options.connectionsMax,
      subscriptionsMax: options.subscriptionsMax,
      payloadBytesMax: options.payloadBytesMax,
      pendingBytesMax: options.pendingBytesMax,
      controlLineBytesMax: options.controlLineBytesMax,
      pingIntervalMs: options.pingIntervalMs,
      pingsOutMax: options.pingsOutMax,
      writeDeadlineMs: options.writeDeadlineMs,
      authTimeoutMs: options.authTimeoutMs,
      monitoring: options.monitoring,
      tags: options.tags,
      metadata: options.metadata,
      configDigest: options.configDigest,
      ...traffic,
    };
  }

  openConnections(): ConnectionSnapshot[] {
    return Array.from(this.instance.door.sessions.values(), (session) => snapshot(recordOf(session, null)));
  }

  closedConnections(): ConnectionSnapshot[] {
    return Array.from(this.instance.door.closedConnections.entries(), snapshot);
  }

  plugins(): PluginsSnapshot {
    const { host } = this.instance;
    return {
      plugins: host.registry.names().map((name) => snapshotOfPlugin(host, name)),
      attachments: host.attachments.all().map(snapshotOfAttachment),
    };
  }
}

function snapshot(record: ConnectionRecord): ConnectionSnapshot {
  return record;
}
