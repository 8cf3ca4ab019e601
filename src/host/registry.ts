import { createHash } from 'node:crypto';
import { Failure } from '../base/failure.js';
import type { Compiler } from '../sandbox/compiler.js';
import type { PreparedModule } from '../sandbox/prepare.js';
import { budgetOf } from './budgets.js';
import type { Ledger } from './ledger.js';
import type { PluginRecord } from './ledger-contents.js';
import type { PluginLimits } from './limits.js';
import { readManifest } from './manifest.js';
import type { Manifest } from './manifest-contents.js';
import { checkName } from './names.js';
import { checkSignature } from './signature.js';

/** An immutable, numbered version of a plugin, addressed by the digest of its bytes. */
export interface PluginVersion {
  readonly plugin: string;
  readonly number: number;
  readonly sha256: string;
  readonly bytes: number;
  readonly installedMs: number;
  /** Compiled; null until someone asks for a version that has not been used for long. */
  prepared: PreparedModule | null;
  /** What the module says about itself; null when it says nothing, or was not read yet. */
  manifest: Manifest | null;
}

interface Plugin {
  declared: boolean;
  lastNumber: number;
  versions: PluginVersion[];
}

/** Who brings a plugin. */
export interface Install {
  nowMs: number;
  /** Whether the configuration file does. */
  declared: boolean;
  /** Versions that are in use: they are not forgotten to make room. */
  used(): ReadonlySet<PluginVersion>;
}

/** So many of the newest versions stay compiled, besides those in use. */
const COMPILED = 3;

/** Plugins by name, versions by number. What is in it was validated, metered and compiled, now or before a restart. */
export class PluginRegistry {
  /** Public nkeys; when there are any, modules that none of them signed are refused. */
  trustedKeys: readonly string[] = [];
  private readonly compiler: () => Promise<Compiler>;
  private readonly ledger: Ledger;
  private readonly limits: () => PluginLimits;
  private readonly plugins = new Map<string, Plugin>();
  /** Modules that charge no fuel, of versions that were asked for so. */
  private readonly unmetered = new WeakMap<PluginVersion, PreparedModule>();

  constructor(compiler: () => Promise<Compiler>, ledger: Ledger, limits: () => PluginLimits) {
    this.compiler = compiler;
    this.ledger = ledger;
    this.limits = limits;
  }

  /** Takes on what the ledger says; nothing is compiled yet. `used` are the plugins of stored attachments. */
  restore(used: ReadonlySet<string>): void {
    for (const { name, declared, last_number, versions } of this.ledger.plugins) {
      if (declared && !used.has(name)) continue;
      this.plugins.set(name, {
        declared,
        lastNumber: last_number,
        versions: versions.map(({ number, sha256, bytes, installed_ms }) => ({
          ...{ plugin: name, number, sha256, bytes, installedMs: installed_ms },
          prepared: null,
          manifest: null,
        })),
      });
    }
  }

  /**
   * Installs a module as the plugin's next version. The same bytes again answer the version they already are. Rejects with a `Failure` when the
   * module is refused or cannot be stored; what was installed before stays.
   */
  async install(name: string, wasm: Uint8Array, install: Install): Promise<PluginVersion> {
    checkName('plugin', name);
    const sha256 = createHash('sha256').update(wasm).digest('hex');
    const twin = () => this.plugins.get(name)?.versions.find((version) => version.sha256 === sha256);
    const known = twin();
    if (known !== undefined) return this.load(known);
    this.checkRoom(name, wasm.length);
    await checkSignature(wasm, this.trustedKeys);
    const compiler = await this.compiler();
    const prepared = await compiler.prepare(wasm);
    const manifest = await readManifest(prepared.manifest);
    const tests = manifest?.self_tests ?? [];
    if (tests.length > 0) await compiler.selfTest(prepared, budgetOf({}, manifest?.budget), tests);
    return this.ledger.exclusive(async () => {
      const already = twin();
      if (already !== undefined) return already;
      this.checkRoom(name, wasm.length);
      const before = this.plugins.get(name) ?? { declared: true, lastNumber: 0, versions: [] };
      const number = before.lastNumber + 1;
      const { nowMs: installedMs } = install;
      const version = { plugin: name, number, sha256, bytes: wasm.length, installedMs, prepared, manifest };
      const versions = [...this.withRoom(name, before.versions, install.used()), version];
      await this.ledger.store.writeModule(sha256, wasm);
      await this.keep(name, { declared: before.declared && install.declared, lastNumber: number, versions });
      await this.tidy();
      return version;
    });
  }

  /** Makes sure that a version is compiled. Rejects with a `Failure` when its module cannot be read or is refused. */
  async load(version: PluginVersion): Promise<PluginVersion & { prepared: PreparedModule }> {
    if (version.prepared === null) {
      const wasm = await this.ledger.store.readModule(version.sha256);
      await checkSignature(wasm, this.trustedKeys);
      version.prepared = await (await this.compiler()).prepare(wasm);
      version.manifest = await readManifest(version.prepared.manifest);
    }
    return version as PluginVersion & { prepared: PreparedModule };
  }

  /** As `load`, without charges: for the worker tier alone, where time is what ends a call. */
  async loadUnmetered(version: PluginVersion): Promise<PreparedModule> {
    const known = this.unmetered.get(version);
    if (known !== undefined) return known;
    const wasm = await this.ledger.store.readModule(version.sha256);
    await checkSignature(wasm, this.trustedKeys);
    const prepared = await (await this.compiler()).prepare(wasm, false);
    this.unmetered.set(version, prepared);
    return prepared;
  }

  /** Lets go of compiled modules that are neither in use nor among the newest of their plugin. */
  release(used: ReadonlySet<PluginVersion>): void {
    for (const { versions } of this.plugins.values()) {
      for (const version of versions.slice(0, -COMPILED)) {
        if (used.has(version)) continue;
        version.prepared = null;
        this.unmetered.delete(version);
      }
    }
  }

  /** A version by number, or the newest. Throws a `Failure` that says what there is. */
  version(name: string, number?: number): PluginVersion {
    const versions = this.plugins.get(name)?.versions;
    if (versions === undefined) throw new Failure('plugin-not-found', `there is no plugin ${JSON.stringify(name)}`);
    const found = number === undefined ? versions.at(-1) : versions.find((version) => version.number === number);
    if (found !== undefined) return found;
    const have = versions.map((version) => version.number).join(', ');
    throw new Failure('plugin-not-found', `plugin ${JSON.stringify(name)} has no version ${number}; it has ${have}`);
  }

  versions(name: string): readonly PluginVersion[] {
    this.version(name);
    return this.plugins.get(name)!.versions;
  }

  names(): string[] {
    return [...this.plugins.keys()].sort();
  }

  /** Removes a plugin. Only within the ledger's `exclusive`. */
  async delete(name: string): Promise<void> {
    this.version(name);
    await this.keep(name, null);
    await this.tidy();
  }

  /** The change at hand is stored: modules that cannot be removed now are removed with the next one, or at the next start. */
  private tidy(): Promise<void> {
    return this.ledger.tidy().catch(() => {});
  }

  private async keep(name: string, plugin: Plugin | null): Promise<void> {
    const next = new Map(this.plugins);
    if (plugin === null) next.delete(name);
    else next.set(name, plugin);
    await this.ledger.save({ plugins: [...next].map(([each, kept]) => recordOf(each, kept)) });
    if (plugin === null) this.plugins.delete(name);
    else this.plugins.set(name, plugin);
  }

  private checkRoom(name: string, wasmBytes: number): void {
    const { plugins, moduleBytes } = this.limits();
    const full = (text: string) => new Failure('plugins-full', `cannot install ${JSON.stringify(name)}: ${text}`);
    if (!this.plugins.has(name) && this.plugins.size >= plugins) {
      throw full(`there are ${plugins} plugins, the most allowed`);
    }
    let bytes = wasmBytes;
    for (const { versions } of this.plugins.values()) for (const version of versions) bytes += version.bytes;
    if (bytes > moduleBytes) throw full(`all modules together may have ${moduleBytes} bytes`);
  }

  /** The versions without the oldest that nobody uses, when there are as many as may be. */
  private withRoom(name: string, versions: PluginVersion[], used: ReadonlySet<PluginVersion>): PluginVersion[] {
    const most = this.limits().versions;
    if (versions.length < most) return versions;
    const oldest = versions.find((version) => !used.has(version));
    if (oldest !== undefined) return versions.filter((version) => version !== oldest);
    const text = `its ${most} versions, the most allowed, are all in use`;
    throw new Failure('plugins-full', `cannot install ${JSON.stringify(name)}: ${text}`);
  }
}

function recordOf(name: string, { declared, lastNumber, versions }: Plugin): PluginRecord {
  return {
    name,
    declared,
    last_number: lastNumber,
    versions: versions.map(({ number, sha256, bytes, installedMs }) => ({
      ...{ number, sha256, bytes, installed_ms: installedMs },
    })),
  };
}
