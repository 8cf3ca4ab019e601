import { createHash } from 'node:crypto';
import { Failure } from '../base/failure.js';
import type { Compiler } from '../sandbox/compiler.js';
import type { PreparedModule } from '../sandbox/prepare.js';

/** An immutable, numbered version of a plugin, addressed by the digest of its bytes. */
export interface PluginVersion {
  readonly plugin: string;
  readonly number: number;
  readonly sha256: string;
  readonly bytes: number;
  readonly installedMs: number;
  readonly prepared: PreparedModule;
}

const PLUGINS_MAX = 1000;
const VERSIONS_MAX = 32;
/** Of all modules together; compiled, a module takes 2 to 80 times its bytes. */
const MODULE_BYTES_MAX = 64 * 1024 * 1024;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Whether the text names a plugin or attachment: it becomes a subject token. */
export function checkName(what: string, name: string): void {
  if (NAME.test(name)) return;
  throw new Failure(
    'name-invalid',
    `${what} ${JSON.stringify(name)}: expected 1 to 64 letters, digits, "_" or "-", the first a letter or digit`,
  );
}

/** Plugins by name, versions by number. What is in it was validated, metered and compiled. */
export class PluginRegistry {
  private readonly compiler: () => Promise<Compiler>;
  private readonly plugins = new Map<string, PluginVersion[]>();

  constructor(compiler: () => Promise<Compiler>) {
    this.compiler = compiler;
  }

  /**
   * Installs a module as the plugin's next version. The same bytes again answer the version they already are. Rejects with a `Failure` when the
   * module is refused; what was installed before stays.
   */
  async install(name: string, wasm: Uint8Array, nowMs: number): Promise<PluginVersion> {
    checkName('plugin', name);
    const sha256 = createHash('sha256').update(wasm).digest('hex');
    const known = this.plugins.get(name)?.find((version) => version.sha256 === sha256);
    if (known !== undefined) return known;
    this.checkRoom(name, wasm);
    const compiler = await this.compiler();
    const prepared = await compiler.prepare(wasm);
    const versions = this.plugins.get(name) ?? [];
    const twin = versions.find((version) => version.sha256 === sha256);
    if (twin !== undefined) return twin;
    const number = (versions.at(-1)?.number ?? 0) + 1;
    const version = { plugin: name, number, sha256, bytes: wasm.length, installedMs: nowMs, prepared };
    this.plugins.set(name, [...versions, version].slice(-VERSIONS_MAX));
    return version;
  }

  private checkRoom(name: string, wasm: Uint8Array): void {
    const full = (text: string) => new Failure('plugins-full', `cannot install ${JSON.stringify(name)}: ${text}`);
    if (!this.plugins.has(name) && this.plugins.size >= PLUGINS_MAX) {
      throw full(`there are ${PLUGINS_MAX} plugins, the most allowed`);
    }
    let bytes = wasm.length;
    for (const versions of this.plugins.values()) for (const version of versions) bytes += version.bytes;
    if (bytes > MODULE_BYTES_MAX) throw full(`all modules together may have ${MODULE_BYTES_MAX} bytes`);
  }

  /** A version by number, or the newest. Throws a `Failure` that says what there is. */
  version(name: string, number?: number): PluginVersion {
    const versions = this.plugins.get(name);
    if (versions === undefined) throw new Failure('plugin-not-found', `there is no plugin ${JSON.stringify(name)}`);
    const found = number === undefined ? versions.at(-1) : versions.find((version) => version.number === number);
    if (found !== undefined) return found;
    const have = versions.map((version) => version.number).join(', ');
    throw new Failure('plugin-not-found', `plugin ${JSON.stringify(name)} has no version ${number}; it has ${have}`);
  }

  versions(name: string): readonly PluginVersion[] {
    this.version(name);
    return this.plugins.get(name)!;
  }

  names(): string[] {
    return [...this.plugins.keys()].sort();
  }

  delete(name: string): void {
    this.version(name);
    this.plugins.delete(name);
  }
}
