import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PluginDeclarations } from '../../src/host/declarations.js';
import { DeclaredPlugins } from '../../src/host/declared-plugins.js';
import { PluginHost } from '../../src/host/plugin-host.js';
import { guest } from '../hostile/guest.js';
import { ManualClock } from '../kit/manual-clock.js';

const clock = new ManualClock();
let host: PluginHost;
beforeEach(() => {
  host = new PluginHost({ clock, payloadBytesMax: () => 1000, limits: { versions: 3 } });
});
afterEach(() => host.close());

/** A guest with bytes of its own. */
const variant = (mark: number) => guest({ message: `(drop (i32.const ${mark})) i32.const 0` });
const numbers = (name: string) => host.registry.versions(name).map(({ number }) => number);

describe('a registry', () => {
  test('numbers the versions of each plugin, and knows the same bytes again', async () => {
    const first = await host.install('p', await variant(1));
    expect(first).toMatchObject({ plugin: 'p', number: 1, installedMs: clock.nowMs() });
    expect((await host.install('p', await variant(2))).number).toBe(2);
    expect(await host.install('p', await variant(1))).toBe(first);
    expect((await host.install('q', await variant(2))).number).toBe(1);
    expect(host.registry.names()).toEqual(['p', 'q']);
    expect(host.registry.version('p').number).toBe(2);
    expect(host.registry.version('p', 1)).toBe(first);
  });

  test('makes one version of the same bytes that come twice at the same time', async () => {
    const wasm = await variant(1);
    const [one, other] = await Promise.all([host.install('p', wasm), host.install('p', wasm)]);
    expect(one).toBe(other);
    expect(numbers('p')).toEqual([1]);
  });

  test('forgets the oldest version that nobody uses', async () => {
    for (const mark of [1, 2, 3]) await host.install('p', await variant(mark));
    await host.deployments.create({ name: 'a', plugin: 'p', version: 1, subject: 'a' });
    await host.install('p', await variant(4));
    expect(numbers('p')).toEqual([1, 3, 4]);
    await host.deployments.create({ name: 'b', plugin: 'p', version: 3, subject: 'b' });
    await host.deployments.create({ name: 'c', plugin: 'p', version: 4, subject: 'c' });
    await expect(host.install('p', await variant(5))).rejects.toMatchObject({
      code: 'plugins-full',
      message: 'cannot install "p": its 3 versions, the most allowed, are all in use',
    });
    await host.deployments.detach('b');
    expect((await host.install('p', await variant(5))).number).toBe(5);
    expect(numbers('p')).toEqual([1, 4, 5]);
  });

  test('does not give the number of a refused module away', async () => {
    await host.install('p', await variant(1));
    await expect(host.install('p', Buffer.from('no module'))).rejects.toMatchObject({ code: 'module-malformed' });
    expect((await host.install('p', await variant(2))).number).toBe(2);
  });
});

describe('what the configuration file declares', () => {
  let declared: DeclaredPlugins;
  beforeEach(() => {
    declared = new DeclaredPlugins(host);
  });

  /** As a start or a reload does it: what cannot be installed changes nothing. */
  async function reconcile({ modules = {}, attachments = [], enabled = true }: Config): Promise<void> {
    const wanted: PluginDeclarations = {
      enabled,
      modules: Object.keys(modules).map((name) => ({ name, file: name })),
      attachments: attachments.map((name) => ({ name, plugin: 'p', subject: `${name}.>` })),
    };
    await declared.install(wanted, async (file) => modules[file]!);
    declared.attach(wanted);
  }
  interface Config {
    modules?: Record<string, Uint8Array>;
    attachments?: string[];
    enabled?: boolean;
  }
  const attached = () => host.attachments.all().map(({ name, version }) => `${name} ${version.number}`);

  test('comes, stays and goes, beside what requests made', async () => {
    const p = await variant(1);
    await host.install('own', await variant(9));
    await host.deployments.create({ name: 'mine', plugin: 'own', subject: 'mine' });
    await reconcile({ modules: { p }, attachments: ['a', 'b'] });
    expect(attached()).toEqual(['a 1', 'b 1', 'mine 1']);
    const kept = host.attachments.get('a');
    await reconcile({ modules: { p }, attachments: ['a', 'c'] });
    expect(attached()).toEqual(['a 1', 'c 1', 'mine 1']);
    expect(host.attachments.get('a')).toBe(kept);
    await reconcile({});
    expect(attached()).toEqual(['mine 1']);
    await expect.poll(() => host.registry.names(), { timeout: 10_000 }).toEqual(['own']);
  });

  test('moves to a module’s new bytes, and back', async () => {
    await reconcile({ modules: { p: await variant(1) }, attachments: ['a'] });
    await reconcile({ modules: { p: await variant(2) }, attachments: ['a'] });
    expect(attached()).toEqual(['a 2']);
    await reconcile({ modules: { p: await variant(1) }, attachments: ['a'] });
    expect(attached()).toEqual(['a 1']);
  });

  test('takes over an attachment that a request made under its name', async () => {
    await host.install('p', await variant(1));
    await host.deployments.create({ name: 'a', plugin: 'p', subject: 'elsewhere' });
    await reconcile({ modules: { p: await variant(1) }, attachments: ['a'] });
    expect(host.attachments.get('a')?.declaration.subject).toBe('a.>');
    await expect(host.deployments.detach('a')).rejects.toMatchObject({ code: 'attachment-declared' });
    await reconcile({});
    expect(attached()).toEqual([]);
  });

  test('changes nothing when a module or an attachment is refused', async () => {
    await reconcile({ modules: { p: await variant(1) }, attachments: ['a'] });
    const before = host.attachments.get('a');
    const damaged = { p: await variant(2), q: Buffer.from('no module') };
    await expect(reconcile({ modules: damaged, attachments: ['b'] })).rejects.toMatchObject({
      code: 'plugin-declared',
    });
    const misnamed = reconcile({ modules: { p: await variant(1) }, attachments: ['a', 'not a name'] });
    await expect(misnamed).rejects.toMatchObject({ code: 'name-invalid' });
    expect(attached()).toEqual(['a 1']);
    expect(host.attachments.get('a')).toBe(before);
  });

  test('switches all plugins off and on', async () => {
    const p = await variant(1);
    const chain = () => host.attachments.chainFor(Buffer.from('a.b'), 0, 3);
    await reconcile({ modules: { p }, attachments: ['a'] });
    expect(chain()).not.toBeNull();
    await reconcile({ modules: { p }, attachments: ['a'], enabled: false });
    expect(chain()).toBeNull();
    expect(attached()).toEqual(['a 1']);
    await reconcile({ modules: { p }, attachments: ['a'] });
    expect(chain()).not.toBeNull();
  });
});
