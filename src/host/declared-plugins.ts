import { textOf } from '../base/bytes.js';
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
  private readonly started = new Map<AttachmentDeclaration, Attachment>();

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
    this.letGo();
    const others = this.othersThan(declared).concat(declared.attachments);
    for (const declaration of declared.attachments) {
      // Of a declared module, what its file holds: the registry may have newer versions.
      const version = declaration.version ?? versions.get(declaration.plugin);
      const exact = version === undefined ? declaration : { ...declaration, version };
      try {
        const whole = await withEntries(exact, readFile);
        this.started.set(declaration, await this.host.deployments.start(whole, true, () => others));
      } catch (error) {
        throw ofAttachment(declaration.name, error);
      }
    }
  }

  /** What will be attached besides. */
  private othersThan(declared: PluginDeclarations): AttachmentDeclaration[] {
    const mine = new Set([...this.attachments, ...declared.attachments.map(({ name }) => name)]);
    return this.host.deployments.definitions().filter(({ name }) => !mine.has(name));
  }

  /** Forgets what was started and not put to work. */
  private letGo(): void {
    for (const attachment of this.started.values()) {
      if (this.host.attachments.get(attachment.name) !== attachment) attachment.retire();
    }
    this.started.clear();
  }

  /** Attaches what is declared and detaches what no longer is: all of it, or nothing when a `Failure` is thrown. */
  attach(declared: PluginDeclarations): void {
    const { host } = this;
    const names = declared.attachments.map(({ name }) => name);
    const gone = this.attachments.filter((name) => !names.includes(name));
    const before = new Map([...names, ...gone].map((name) => [name, host.attachments.get(name)] as const));
    host.attachments.together(() => {
      try {
        for (const declaration of declared.attachments) this.attachOne(declaration);
      } catch (error) {
        for (const [name, attachment] of before) this.restore(name, attachment);
        throw error;
      }
      for (const name of gone) host.deployments.withdraw(name);
    });
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

/** Says which of many: what a plugin is found to be wrong with does not. */
function ofAttachment(name: string, error: unknown): unknown {
  const head = `attachment ${JSON.stringify(name)}: `;
  if (!(error instanceof Failure) || error.message.startsWith(head)) return error;
  return new Failure(error.code, head + error.message, { cause: error });
}

/** A definition with the entries of its table in the place of the file that holds them. */
async function withEntries(
  declaration: AttachmentDeclaration,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<AttachmentDeclaration> {
  const { file, ...table } = declaration.table ?? {};
  if (file === undefined) return declaration;
  try {
    const entries: unknown = JSON.parse(textOf(await readFile(file)));
    if (typeof entries !== 'object' || entries === null || Array.isArray(entries))
      throw new Error('it is no JSON object');
    return { ...declaration, table: { ...table, entries: { ...table.entries, ...entries } } };
  } catch (error) {
    throw new Failure('plugin-declared', `its table in ${JSON.stringify(file)}: ${describe(error)}`, { cause: error });
  }
}
