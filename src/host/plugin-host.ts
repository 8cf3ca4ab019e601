import type { Clock } from '../base/clock.js';
import { Failure } from '../base/failure.js';
import type { Compiler } from '../sandbox/compiler.js';
import { Attachment } from './attachment.js';
import { AttachmentSet } from './attachment-set.js';
import { Chain } from './chain.js';
import type { AttachmentDeclaration } from './declarations.js';
import { Effects } from './effects.js';
import { EmitQueue } from './emit-queue.js';
import { checkName, PluginRegistry, type PluginVersion } from './registry.js';
import { PluginTurn } from './turn.js';

const ATTACHMENTS_MAX = 10_000;

/** Plugins and attachments of one account: control on one side, chains and emits on the other. */
export class PluginHost {
  readonly registry: PluginRegistry;
  readonly attachments: AttachmentSet;
  readonly emits = new EmitQueue();
  readonly turn = new PluginTurn();
  private readonly clock: Clock;
  private compiler: Promise<Compiler> | null = null;

  constructor({ clock, payloadBytesMax }: { clock: Clock; payloadBytesMax: () => number }) {
    this.clock = clock;
    const effects = new Effects(this.emits, payloadBytesMax, clock);
    this.attachments = new AttachmentSet((matching) => new Chain(matching, effects, this.turn));
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

  async close(): Promise<void> {
    await (await this.compiler)?.close();
  }

  private loadCompiler(): Promise<Compiler> {
    this.compiler ??= import('../sandbox/compiler.js').then((loaded) => new loaded.Compiler());
    return this.compiler;
  }
}
