import type { Clock } from '../base/clock.js';
import { describe, Failure } from '../base/failure.js';
import type { Compiler } from '../sandbox/compiler.js';
import { Attachment } from './attachment.js';
import { AttachmentSet } from './attachment-set.js';
import { Chain } from './chain.js';
import type { AttachmentDeclaration, PluginDeclarations } from './declarations.js';
import { Effects } from './effects.js';
import { EmitQueue } from './emit-queue.js';
import { checkName, PluginRegistry, type PluginVersion } from './registry.js';

const ATTACHMENTS_MAX = 10_000;

/** Plugins and attachments of one account: control on one side, chains and emits on the other. */
export class PluginHost {
  readonly registry: PluginRegistry;
  readonly attachments: AttachmentSet;
  readonly emits = new EmitQueue();
  private readonly clock: Clock;
  private compiler: Promise<Compiler> | null = null;

  constructor({ clock, payloadBytesMax }: { clock: Clock; payloadBytesMax: () => number }) {
    this.clock = clock;
    const effects = new Effects(this.emits, payloadBytesMax, clock);
    this.attachments = new AttachmentSet((matching) => new Chain(matching, effects));
    this.registry = new PluginRegistry(() => this.loadCompiler());
  }

  install(name: string, wasm: Uint8Array): Promise<PluginVersion> {
    return this.registry.install(name, wasm, this.clock.nowMs());
  }

  /** Attaches a plugin. The same declaration again changes nothing; another one of the same name needs `replace`. */
  attach(declaration: AttachmentDeclaration, replace = false): Attachment {
    checkName('attachment', declaration.name);
    const before = this.attachments.get(declaration.name);
    const version = this.registry.version(declaration.plugin, declaration.version);
    if (before !== undefined && !replace) {
      if (before.version === version && JSON.stringify(before.declaration) === JSON.stringify(declaration))
        return before;
      throw new Failure(
        'attachment-exists',
        `attachment ${JSON.stringify(declaration.name)} exists with another definition; add "replace": true to change it`,
      );
    }
    if (before === undefined && this.attachments.all().length >= ATTACHMENTS_MAX) {
      throw new Failure('attachments-full', `there are ${ATTACHMENTS_MAX} attachments, the most allowed`);
    }
    const attachment = new Attachment(declaration, version, this.clock);
    const refused = attachment.checkConfig();
    if (refused !== null)
      throw new Failure('attachment-refused', `plugin ${JSON.stringify(declaration.plugin)}: ${refused.text}`);
    this.attachments.put(attachment);
    return attachment;
  }

  detach(name: string): void {
    if (!this.attachments.delete(name))
      throw new Failure('attachment-not-found', `there is no attachment ${JSON.stringify(name)}`);
  }

  /** Removes a plugin that no attachment uses. */
  remove(name: string): void {
    const user = this.attachments.all().find((attachment) => attachment.declaration.plugin === name);
    if (user !== undefined)
      throw new Failure(
        'plugin-in-use',
        `plugin ${JSON.stringify(name)} is used by attachment ${JSON.stringify(user.name)}`,
      );
    this.registry.delete(name);
  }

  /** Brings about what the configuration file declares. Returns what could not be done, a text each. */
  async reconcile(declared: PluginDeclarations, readFile: (path: string) => Promise<Uint8Array>): Promise<string[]> {
    const problems: string[] = [];
    this.attachments.setEnabled(declared.enabled);
    for (const { name, file } of declared.modules) {
      try {
        await this.install(name, await readFile(file));
      } catch (error) {
        problems.push(`plugin ${JSON.stringify(name)} from ${JSON.stringify(file)}: ${describe(error)}`);
      }
    }
    for (const attachment of declared.attachments) {
      try {
        this.attach(attachment, true);
      } catch (error) {
        problems.push(describe(error));
      }
    }
    return problems;
  }

  async close(): Promise<void> {
    await (await this.compiler)?.close();
  }

  private loadCompiler(): Promise<Compiler> {
    this.compiler ??= import('../sandbox/compiler.js').then((loaded) => new loaded.Compiler());
    return this.compiler;
  }
}
