import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { weir } from '../cli/weir.js';
import { optionsOf } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { Stage, verdictGuest } from './stage.js';

let folder: ReturnType<typeof tempFolder>;
let key: string;
const file = (name: string) => join(folder.path, name);
const run = (...args: string[]) => weir(['plugin', ...args], { cwd: folder.path });

beforeEach(async () => {
  folder = tempFolder();
  key = JSON.parse((await run('key', 'release.key', '--json')).stdout).key;
  writeFileSync(file('p.wasm'), await verdictGuest(0));
});
afterEach(() => folder.remove());

describe('a server with trusted keys', { timeout: 60_000 }, () => {
  let stage: Stage;
  beforeEach(async () => {
    const options = await optionsOf(`store_dir: "${file('store')}", plugins { trusted_keys: ["${key}"] }`);
    stage = await Stage.open(options);
  });
  afterEach(() => stage.close());

  const install = async (name: string, wasm = readFileSync(file(name))) =>
    (await stage.api('PLUGIN.INSTALL.p', wasm)).error?.description;

  test('takes what one of them signed, as it was signed', async () => {
    expect(await install('p.wasm')).toBe('the module is not signed; this server takes signed modules only');
    expect((await run('sign', 'p.wasm', '--key', 'release.key', '--out', 'signed.wasm')).stdout).toBe(
      `signed signed.wasm with ${key}\n`,
    );
    expect((await run('inspect', 'signed.wasm')).stdout).toContain(`says that it is signed by ${key}\n`);
    const changed = readFileSync(file('signed.wasm'));
    // A byte of the outbox's address, in the data.
    changed[changed.indexOf('weir_message') + 1] ^= 1;
    expect(await install('', changed)).toBe(`the module is not what ${key} signed: it was changed afterwards`);
    expect(await install('signed.wasm')).toBeUndefined();
    // Signing again replaces the signature.
    await run('sign', 'signed.wasm', '--key', 'release.key');
    expect(await install('signed.wasm')).toBeUndefined();
    await stage.done('ATTACHMENT.CREATE.p', { plugin: 'p', subject: 'in' });
  });

  test('takes nothing that another one signed, whatever it says', async () => {
    await run('key', 'other.key');
    await run('sign', 'p.wasm', '--key', 'other.key', '--out', 'other.wasm');
    expect(await install('other.wasm')).toMatch(
      /^the module is signed by "U[A-Z2-7]{55}", a key that this server does not trust$/,
    );
    const other = /"key":"(\w+)"/.exec(readFileSync(file('other.wasm'), 'latin1'))![1];
    const forged = readFileSync(file('other.wasm'));
    forged.write(key, forged.indexOf(other));
    expect(await install('', forged)).toBe(`the module is not what ${key} signed: it was changed afterwards`);
  });

  test('does not run what was installed before the key was there', async () => {
    await stage.close();
    stage = await Stage.open({ storeDir: file('store') });
    await stage.bring('p', await verdictGuest(0));
    await stage.close();
    const options = await optionsOf(`store_dir: "${file('store')}", plugins { trusted_keys: ["${key}"] }`);
    stage = await Stage.open(options);
    const letters = await stage.listen('$WEIR.DEAD.p');
    stage.client.publish('p.in', 'x');
    await stage.client.flush();
    expect(letters[0].headers?.get('Weir-Error')).toContain('the module is not signed');
  });
});

test('what cannot be meant is refused', { timeout: 30_000 }, async () => {
  await expect(optionsOf('plugins { trusted_keys: ["U123"] }')).rejects.toThrow(
    /trusted_keys.*public nkeys such as "UABC…".*"U123" is none/,
  );
  expect((await run('key', 'release.key')).stderr).toMatch(/"release\.key" is there already/);
  writeFileSync(file('empty.key'), '\n');
  expect((await run('sign', 'p.wasm', '--key', 'empty.key')).stderr).toMatch(/there is no seed in it/);
});

test('limits of the configuration hold', async () => {
  const stage = await Stage.open(await optionsOf('plugins { limits { plugins: 1, versions: 2, attachments: 1 } }'));
  await stage.bring('p', await verdictGuest(0));
  expect((await stage.api('PLUGIN.INSTALL.q', await verdictGuest(1))).error?.description).toMatch(
    /there are 1 plugins/,
  );
  expect((await stage.api('ATTACHMENT.CREATE.b', { plugin: 'p', subject: 'x' })).error?.description).toMatch(
    /1 attachments/,
  );
  for (const mark of [1, 2, 3]) await stage.done('PLUGIN.INSTALL.p', await verdictGuest(0, mark));
  const numbers = stage.server.host.registry.versions('p').map(({ number }) => number);
  // The first is in use; of the others, the oldest goes.
  expect(numbers).toEqual([1, 4]);
  await stage.close();
});
