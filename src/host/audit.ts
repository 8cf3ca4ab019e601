import type { PluginHost } from './plugin-host.js';

/** A version of a plugin, as an audit names it. */
interface AuditedVersion {
  readonly plugin: string;
  readonly version: number;
  readonly sha256: string;
  /** What an attachment's definition asks for beyond its plugin's own. */
  readonly budget?: object;
}

/** A request that would change what runs, and what came of it. */
export interface AuditEntry {
  /** Such as `attachment.swap`. */
  readonly action: string;
  /** Of the plugin, the attachment or the upload. */
  readonly name: string;
  /** What was there before, and what is there now; null is nothing. */
  readonly before: AuditedVersion | null;
  readonly after: AuditedVersion | null;
  /** Why it was refused; null when it was done. */
  readonly error: string | null;
}

/** Requests that change something, or would. */
const CHANGES = new Set([
  ...['PLUGIN.INSTALL', 'PLUGIN.COMMIT', 'PLUGIN.DELETE'],
  ...['ATTACHMENT.CREATE', 'ATTACHMENT.SWAP', 'ATTACHMENT.ROLLBACK', 'ATTACHMENT.DELETE', 'ATTACHMENT.BUDGET'],
  ...['ATTACHMENT.CANARY', 'ATTACHMENT.SHADOW', 'ATTACHMENT.STOP', 'ATTACHMENT.REDELIVER'],
]);

/** Looks at what a request is about before it and after it; null for one that only asks. */
export class AuditedRequest {
  private readonly host: PluginHost;
  private readonly operation: string;
  private readonly name: string;
  private readonly before: AuditedVersion | null;

  private constructor(host: PluginHost, operation: string, name: string) {
    this.host = host;
    this.operation = operation;
    this.name = name;
    this.before = this.present(name);
  }

  static of(host: PluginHost, operation: string, name: string): AuditedRequest | null {
    return CHANGES.has(operation) ? new AuditedRequest(host, operation, name) : null;
  }

  done(body: object): AuditEntry {
    // An upload knows the plugin's name only at its end.
    const { plugin = this.name } = body as { plugin?: string };
    const name = this.operation === 'PLUGIN.COMMIT' ? plugin : this.name;
    return { ...this.entry(), name, after: this.present(name), error: null };
  }

  refused(error: string): AuditEntry {
    return { ...this.entry(), name: this.name, after: this.present(this.name), error };
  }

  private entry() {
    return { action: this.operation.toLowerCase(), before: this.before };
  }

  /** An attachment's version; of a plugin the newest one. */
  private present(name: string): AuditedVersion | null {
    const { attachments, registry } = this.host;
    if (!this.operation.startsWith('PLUGIN.')) {
      const attachment = attachments.get(name);
      if (attachment === undefined) return null;
      const { version, declaration } = attachment;
      const { plugin, budget } = declaration;
      return { plugin, version: version.number, sha256: version.sha256, ...(budget && { budget: { ...budget } }) };
    }
    const newest = registry.names().includes(name) ? registry.versions(name).at(-1) : undefined;
    return newest === undefined ? null : { plugin: name, version: newest.number, sha256: newest.sha256 };
  }
}
