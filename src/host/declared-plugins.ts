import { describe, Failure } from '../base/failure.js';
import type { Attachment } from './attachment.js';
import type { AttachmentDeclaration, PluginDeclarations } from './declarations.js';
import type { PluginHost } from './plugin-host.js';

/** Plugins and attachments that the configuration file declares, beside those that requests made. */
export class DeclaredPlugins {
  private readonly host: PluginHost;
  private modules: readonly string[] = [];
  private attachments: readonly string[] = [];
  /** Attachments that were started and wait to be put to work, by their declaration. */
  private started: ReadonlyMap<AttachmentDeclaration, Attachment> = new Map();

  constructor(host: PluginHost) {
    this.host = host;
  }

  /**
   * Installs the declared modules and starts the declared attachments. Changes nothing about messages: an attachment keeps the version it
   * has, and a new one waits for `attach`.
   */
  async install(declared: PluginDeclarations, readFile: (path: string) => Promise<Uint8Array>): Promise<void> {
    const versions = new Map<string, number>();
    this.host.configure(declared);
    for (const { name, file } of declared.modules) {
      try {
        versions.set(name, (await this.host.install(name, await readFile(file), true)).number);
      } catch (error) {
        const text = `plugin ${JSON.stringify(name)} from ${JSON.stringify(file)}: ${describe(error)}`;
        throw new Failure('plugin-declared', text, { cause: error });
      }
    }
    this.started = new Map();
    const started = new Map<AttachmentDeclaration, Attachment>();
    for (const declaration of declared.attachments) {
      // Of a declared module, what its file holds: the registry may have newer versions.
      const version = declaration.version ?? versions.get(declaration.plugin);
      const exact = version === undefined ? declaration : { ...declaration, version };
      started.set(declaration, await this.host.deployments.start(exact, true));
    }
    this.started = started;
  }

  /** Attaches what is declared and detaches what no longer is: all of it, or nothing when a `Failure` is thrown. */
  attach(declared: PluginDeclarations): void {
    const { host } = this;
    const names = declared.attachments.map(({ name }) => name);
    const gone = this.attachments.filter((name) => !names.includes(name));
    const before = new Map([...names, ...gone].map((name) => [name, host.attachments.get(name)] as const));
    try {
      for (const declaration of declared.attachments) this.attachOne(declaration);
    } catch (error) {
      for (const [name, attachment] of before) this.restore(name, attachment);
      throw error;
    }
    for (const name of gone) host.deployments.withdraw(name);
    host.deployments.takeOver(names);
    host.attachments.setEnabled(declared.enabled);
    this.attachments = names;
    this.removeUnused(declared);
  }

  /** What stays as it was keeps its state and its counters. */
  private attachOne(declaration: AttachmentDeclaration): void {
    const started = this.started.get(declaration);
    if (started !== undefined) this.host.deployments.put(started, true);
    else this.host.attach(declaration, true);
  }

  private restore(name: string, attachment: Attachment | undefined): void {
    if (attachment === undefined) this.host.attachments.delete(name);
    else if (this.host.attachments.get(name) !== attachment) this.host.attachments.put(attachment);
  }

  private removeUnused(declared: PluginDeclarations): void {
    const names = declared.modules.map(({ name }) => name);
    const used = this.host.attachments.all().map(({ declaration }) => declaration.plugin);
    for (const name of this.modules) if (!names.includes(name) && !used.includes(name)) this.remove(name);
    this.modules = names.concat(this.modules.filter((name) => !names.includes(name) && used.includes(name)));
  }

  private remove(name: string): void {
    this.host
      .remove(name)
      .catch((error) => this.host.events.problem(`cannot remove plugin "${name}": ${describe(error)}`));
  }
}
