import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { FolderPluginStore } from '../../src/host/folder-store.js';
import { nodeDisk } from '../../src/storage/node-disk.js';
import { optionsOf } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { until } from '../kit/wait.js';
import { Program } from '../server/program.js';
import { callApi, Stage, verdictGuest } from './stage.js';

const PASS = 0;
const DROP = 1;

let folder: ReturnType<typeof tempFolder>;
let stage: Stage;
beforeEach(async () => {
  folder = tempFolder();
  stage = await Stage.open({ storeDir: folder.path });
});
afterEach(async () => {
  await stage.close();
  folder.remove();
});

const pluginFolder = () => join(folder.path, 'plugins', '$G');
const modules = () => readdirSync(join(pluginFolder(), 'modules'));

/** Does something to the stored files of a server that is not running. */
async function changeStore<T>(change: (store: FolderPluginStore) => Promise<T>): Promise<T> {
  const store = await FolderPluginStore.open({ disk: nodeDisk, clock: systemClock, folder: pluginFolder() });
  try {
    return await change(store);
  } finally {
    await store.close();
  }
}

async function restart(): Promise<void> {
  await stage.close();
  stage = await Stage.open({ storeDir: folder.path });
}

/** Whether a message passes the attachment. */
async function passes(name: string): Promise<boolean> {
  const arrived = await stage.listen(`${name}.in`);
  stage.client.publish(`${name}.in`, 'x');
  await stage.client.flush();
  return arrived.length > 0;
}

describe('plugins and attachments after a restart', () => {
  test('are as they were', async () => {
    await stage.bring('filter', await verdictGuest(DROP), { order: 3, config: { a: 1 }, failure: { fuel: 'drop' } });
    const before = await stage.done('ATTACHMENT.INFO.filter');
    const plugins = await stage.done('PLUGIN.LIST');
    await restart();
    expect(await stage.done('PLUGIN.LIST')).toEqual(plugins);
    expect((await stage.done('ATTACHMENT.INFO.filter')).definition).toEqual(before.definition);
    expect(await passes('filter')).toBe(false);
  });

  test('an attachment keeps its version when the plugin has newer ones', async () => {
    await stage.bring('filter', await verdictGuest(DROP));
    await stage.done('PLUGIN.INSTALL.filter', await verdictGuest(PASS));
    await restart();
    expect(await stage.done('ATTACHMENT.LIST')).toMatchObject({ attachments: [{ name: 'filter', version: 1 }] });
    expect(await passes('filter')).toBe(false);
    await stage.done('ATTACHMENT.SWAP.filter');
    expect(await passes('filter')).toBe(true);
  });

  test('what was removed stays removed, and numbers are not given again', async () => {
    await stage.bring('filter', await verdictGuest(DROP));
    await stage.done('ATTACHMENT.DELETE.filter');
    await restart();
    expect(await stage.done('ATTACHMENT.LIST')).toMatchObject({ total: 0 });
    await stage.done('PLUGIN.DELETE.filter');
    await restart();
    expect(await stage.done('PLUGIN.LIST')).toMatchObject({ total: 0 });
    expect(modules()).toEqual([]);
  });

  test('a rollback goes back over a restart', async () => {
    await stage.bring('filter', await verdictGuest(DROP), { config: { old: true } });
    await stage.done('PLUGIN.INSTALL.filter', await verdictGuest(PASS));
    await stage.done('ATTACHMENT.SWAP.filter', { config: { old: false } });
    await restart();
    expect(await passes('filter')).toBe(true);
    await stage.done('ATTACHMENT.ROLLBACK.filter');
    expect(await passes('filter')).toBe(false);
    expect(await stage.done('ATTACHMENT.INFO.filter')).toMatchObject({ definition: { config: { old: true } } });
    expect((await stage.api('ATTACHMENT.ROLLBACK.filter')).error).toMatchObject({
      err_code: 20036,
      description: 'attachment "filter" has no definition before the present one',
    });
  });

  test('a damaged module fails closed, is named in the log, and nothing else suffers', async () => {
    await stage.bring('filter', await verdictGuest(PASS));
    await stage.bring('other', await verdictGuest(PASS, 1));
    const sha256 = createHash('sha256')
      .update(await verdictGuest(PASS))
      .digest('hex');
    await stage.close();
    writeFileSync(join(pluginFolder(), 'modules', sha256), 'no module');
    const said: string[] = [];
    const note = (text: string) => void said.push(text);
    const logger = { debugEnabled: false, traceEnabled: false, fatal: note, error: note, warn: note } as const;
    stage = await Stage.open(
      { storeDir: folder.path },
      { logger: { ...logger, info: () => {}, debug: () => {}, trace: () => {} } },
    );
    expect(said.join()).toMatch(/attachment "filter" cannot run.*the module in ".*" was damaged/);
    const letters = await stage.listen('$WEIR.DEAD.filter');
    expect(await passes('filter')).toBe(false);
    expect(await passes('other')).toBe(true);
    expect(letters[0].headers?.get('Weir-Cause')).toBe('unavailable');
    expect(await stage.done('ATTACHMENT.INFO.filter')).toMatchObject({
      attachment: { damage: expect.stringContaining('was damaged') },
    });
    // A new version repairs it.
    await stage.done('PLUGIN.INSTALL.filter', await verdictGuest(PASS, 2));
    await stage.done('ATTACHMENT.SWAP.filter');
    expect(await passes('filter')).toBe(true);
  });

  test('a list that cannot be read stops the start, and says where', async () => {
    await stage.bring('filter', await verdictGuest(PASS));
    await stage.close();
    const text = (await changeStore((store) => store.load()))!;
    const file = join(pluginFolder(), 'ledger');
    const bytes = readFileSync(file);
    await changeStore((store) => store.save(text.replace('"format": 1', '"format": 9')));
    await expect(Stage.open({ storeDir: folder.path })).rejects.toThrow(/stored list of plugins: format: .*1.*9/);
    await changeStore((store) => store.save(text.slice(0, 50)));
    await expect(Stage.open({ storeDir: folder.path })).rejects.toThrow(/stored list of plugins: it is not JSON/);
    writeFileSync(file, bytes.subarray(0, -1));
    await expect(Stage.open({ storeDir: folder.path })).rejects.toThrow(/ledger" was damaged/);
    writeFileSync(file, bytes);
    stage = await Stage.open({ storeDir: folder.path });
  });

  test('are encrypted when streams are, and need the same key', async () => {
    await stage.close();
    const secret = await optionsOf('jetstream { key: "secret", cipher: aes }');
    stage = await Stage.open({ ...secret, storeDir: folder.path });
    await stage.bring('filter', await verdictGuest(DROP), { config: { place: 'somewhere secret' } });
    await stage.close();
    for (const name of ['ledger', join('modules', modules()[0]!)]) {
      const bytes = readFileSync(join(pluginFolder(), name), 'latin1');
      expect(bytes).not.toMatch(/somewhere secret|weir_message/);
    }
    const other = await optionsOf('jetstream { key: "another", cipher: aes }');
    const wrong = Stage.open({ ...other, storeDir: folder.path });
    await expect(wrong).rejects.toThrow(/it was encrypted with another key than the configured one/);
    stage = await Stage.open({ ...secret, storeDir: folder.path });
    expect(await passes('filter')).toBe(false);
  });

  test('belong to one server at a time', async () => {
    await expect(Stage.open({ storeDir: folder.path })).rejects.toThrow(/folder of plugins .*: another server uses it/);
    await restart();
  });

  test('a change that cannot be stored does not happen', async () => {
    await stage.bring('filter', await verdictGuest(DROP));
    // A folder in the place of the file that is written beside.
    const { mkdirSync, rmdirSync } = await import('node:fs');
    mkdirSync(join(pluginFolder(), 'ledger.tmp'));
    const refused = await stage.api('ATTACHMENT.DELETE.filter');
    expect(refused.error?.description).toMatch(/cannot write ".*ledger"/);
    expect(await passes('filter')).toBe(false);
    rmdirSync(join(pluginFolder(), 'ledger.tmp'));
    await stage.done('ATTACHMENT.DELETE.filter');
    expect(await passes('filter')).toBe(true);
  });
});

describe('an upload in pieces', () => {
  const begin = async (wasm: Uint8Array) => {
    const sha256 = createHash('sha256').update(wasm).digest('hex');
    return (await stage.done('PLUGIN.UPLOAD.big', { bytes: wasm.length, sha256 })).upload as string;
  };

  test('is the module that was cut up, however often a piece is sent', async () => {
    const wasm = await verdictGuest(DROP);
    const id = await begin(wasm);
    for (let at = 0; at < wasm.length; at += 50) {
      for (const _ of [1, 2]) {
        const answer = await stage.api(`PLUGIN.CHUNK.${id}`, wasm.subarray(at, at + 50), at);
        expect(answer).toMatchObject({ received: Math.min(at + 50, wasm.length) });
      }
    }
    expect(await stage.done(`PLUGIN.COMMIT.${id}`)).toMatchObject({ plugin: 'big', version: 1, bytes: wasm.length });
    expect((await stage.api(`PLUGIN.COMMIT.${id}`)).error).toMatchObject({ err_code: 20023 });
  });

  test('says what is wrong with a piece', async () => {
    const wasm = await verdictGuest(DROP);
    const id = await begin(wasm);
    const piece = (offset?: number, bytes = wasm.subarray(0, 10)) => stage.api(`PLUGIN.CHUNK.${id}`, bytes, offset);
    expect((await piece()).error?.description).toMatch(/expected a header Weir-Offset/);
    expect((await piece(3)).error?.description).toMatch(/begins at 3; expected 0/);
    expect((await piece(0, new Uint8Array(wasm.length + 1))).error?.description).toMatch(
      /behind the \d+ bytes announced/,
    );
    expect((await stage.api(`PLUGIN.COMMIT.${id}`)).error?.description).toMatch(/has 0 of \d+ bytes/);
    await stage.api(`PLUGIN.CHUNK.${id}`, new Uint8Array(wasm.length), 0);
    expect((await stage.api(`PLUGIN.COMMIT.${id}`)).error).toMatchObject({ err_code: 20003 });
  });

  test('has limits', async () => {
    const refusal = async (body: object) => (await stage.api('PLUGIN.UPLOAD.big', body)).error?.description;
    const sha256 = '0'.repeat(64);
    expect(await refusal({ bytes: 17e6, sha256 })).toMatch(
      /"bytes" is 17000000; expected a whole number from 1 to 16777216/,
    );
    expect(await refusal({ bytes: 5, sha256: 'x' })).toMatch(/"sha256" is "x"; expected 64 hexadecimal digits/);
    for (let i = 0; i < 8; i++) await stage.done('PLUGIN.UPLOAD.big', { bytes: 5, sha256 });
    expect(await refusal({ bytes: 5, sha256 })).toMatch(/8 uploads are under way, the most allowed/);
  });
});

/** Kills a server in the middle of changes, again and again. */
test('after kill -9, the store holds the state before or after the change at hand', { timeout: 120_000 }, async () => {
  await stage.close();
  const versions = await Promise.all(Array.from({ length: 40 }, (_, i) => verdictGuest(PASS, i)));
  /** What must be there; and what may be, when the change at hand was stored before the end. */
  let settled = { versions: 0, attachments: '' };
  let possible = settled;
  let next = 0;
  for (let round = 0; round < 6; round++) {
    const program = new Program('weir', ['-p', '-1', '-sd', folder.path]);
    await program.says('Server is ready');
    const port = /Listening for client connections on \S*?:(\d+)/.exec(program.stderr)?.[1];
    const client = await connect({ servers: `127.0.0.1:${port}`, reconnect: false });
    const list = await callApi(client, 'PLUGIN.LIST');
    const found = {
      versions: (list.plugins as { versions: unknown[] }[])[0]?.versions.length ?? 0,
      attachments: ((await callApi(client, 'ATTACHMENT.LIST')).attachments as { subject: string }[])
        .map(({ subject }) => subject)
        .join(),
    };
    expect([JSON.stringify(settled), JSON.stringify(possible)]).toContain(JSON.stringify(found));
    settled = possible = found;
    const changes = (async () => {
      for (;;) {
        const index = next++;
        possible = { ...settled, versions: Math.min(settled.versions + 1, 32) };
        await callApi(client, 'PLUGIN.INSTALL.p', versions[index % versions.length]);
        settled = possible;
        possible = { ...settled, attachments: `s${index}` };
        const definition = { plugin: 'p', subject: `s${index}`, replace: true };
        await callApi(client, 'ATTACHMENT.CREATE.a', definition);
        settled = possible;
      }
    })().catch(() => {});
    const from = next;
    await until(() => next > from + 1, 'some changes', 20_000);
    await new Promise((resolve) => setTimeout(resolve, round * 7));
    await program.kill();
    await changes;
    await client.close();
  }
  stage = await Stage.open({ storeDir: folder.path });
  const left = readdirSync(pluginFolder(), { recursive: true }).map(String);
  expect(left.filter((name) => name.endsWith('.tmp'))).toEqual([]);
  // Every version that there is can be brought back.
  for (const { version } of stage.server.host.registry.versions('p').map(({ number }) => ({ version: number }))) {
    await stage.done('ATTACHMENT.SWAP.a', { version });
  }
});
