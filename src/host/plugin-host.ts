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
  readonly turn: PluginTurn;
  private readonly clock: Clock;
  private compiler: Promise<Compiler> | null = null;

  constructor({ clock, payloadBytesMax }: { clock: Clock; payloadBytesMax: () => number }) {
    this.clock = clock;
    this.turn = new PluginTurn(clock);
    const effects = new Effects(this.emits, payloadBytesMax, clock);
    this.attachments = new AttachmentSet((matching) => new Chain(matching, effects, this.turn));
    this.registry = new PluginRegistry(() => this.loadCompiler());
  }

  install(name: string, wasm: Uint8Array): Promise<PluginVersion> {
    return this.registry.install(name, wasm, this.clock.nowMs());
  }

  /**
   * Makes an attachment whose plugin was started in a worker thread, for `put`; nothing runs yet. The present one when it has the same definition.
   * Rejects with a `Failure` when the definition or the plugin says no.
   */
  async start(declaration: AttachmentDeclaration, replace = false): Promise<Attachment> {
    const attachment = this.propose(declaration, replace);
    if (attachment === this.attachments.get(attachment.name)) return attachment;
    const compiler = await this.loadCompiler();
    const { version, budget, config } = attachment;
    attachment.begin(await compiler.start(version.prepared, budget, config));
    return attachment;
  }

  /** Puts an attachment that was started to work. */
  put(attachment: Attachment, replace = false): Attachment {
    const before = this.attachments.get(attachment.name);
    if (before === attachment) return attachment;
    if (before !== undefined && !replace) throw existsAlready(attachment.name);
    if (before === undefined && this.attachments.size >= ATTACHMENTS_MAX) {
      throw new Failure('attachments-full', `there are ${ATTACHMENTS_MAX} attachments, the most allowed`);
    }
    this.attachments.put(attachment);
    return attachment;
  }

  /** Starts and puts to work at once. The event loop waits while the plugin starts: for those who know the plugin. */
  attach(declaration: AttachmentDeclaration, replace = false): Attachment {
    const attachment = this.propose(declaration, replace);
    if (attachment !== this.attachments.get(attachment.name)) attachment.beginHere();
    return this.put(attachment, replace);
  }

  /** The same declaration again is the attachment there is; another one of the same name needs `replace`. */
  private propose(declaration: AttachmentDeclaration, replace: boolean): Attachment {
    checkName('attachment', declaration.name);
    const before = this.attachments.get(declaration.name);
    const version = this.registry.version(declaration.plugin, declaration.version);
    if (before?.version === version && JSON.stringify(before.declaration) === JSON.stringify(declaration))
      return before;
    if (before !== undefined && !replace) throw existsAlready(declaration.name);
    return new Attachment(declaration, version, this.clock);
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

function existsAlready(name: string): Failure {
  return new Failure(
    'attachment-exists',
    `attachment ${JSON.stringify(name)} exists with another definition; add "replace": true to change it`,
  );
}
