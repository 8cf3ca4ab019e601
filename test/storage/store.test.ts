import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { textOf, utf8 } from '../../src/base/bytes.js';
import { systemClock } from '../../src/base/clock.js';
import { StoredMessage } from '../../src/storage/message-log.js';
import { nodeDisk } from '../../src/storage/node-disk.js';
import { Store } from '../../src/storage/store.js';
import { tempFolder } from '../kit/temp-folder.js';
import { FaultDisk } from './fault-disk.js';
import { silentListener } from './opened.js';
import { Random } from './random.js';
import { messageOf, readOut } from './random-operations.js';

const TIME = { timeMs: 1, timeNs: 0 };

describe('a store on the real disk', () => {
  let folder: { path: string; remove: () => void };
  const open = (path = folder.path) => Store.open({ disk: nodeDisk, clock: systemClock, folder: path });

  beforeEach(() => {
    folder = tempFolder();
  });
  afterEach(() => folder.remove());

  test('keeps a log', async () => {
    const store = await open(join(folder.path, 'a', 'b'));
    const log = await store.openLog('streams/one', { listener: silentListener, segmentBytes: 100_000 });
    for (let i = 1; i <= 5000; i++) log.append(messageOf(`s.${i % 10}`, `payload ${i}`), TIME);
    expect(await log.flush()).toBeNull();
    log.trimMessages(4000);
    await log.close();
    expect(await store.list('streams')).toEqual(['one']);
    const again = await store.openLog('streams/one', { listener: silentListener });
    const into = new StoredMessage();
    let count = 0;
    for (let from = 0; again.next(from, null, into); from = into.sequence + 1) {
      expect(readOut(into).payload).toBe(`payload ${into.sequence}`);
      count++;
    }
    expect(count).toBe(4000);
    expect(again.warm(into.sequence)).toBeNull();
    expect(statSync(join(store.folder, 'streams', 'one')).mode & 0o777).toBe(0o700);
    await again.delete();
    expect(existsSync(join(store.folder, 'streams', 'one'))).toBe(false);
    await store.close();
  });

  test('reads a cold block without blocking, if asked to', async () => {
    const store = await open();
    const log = await store.openLog('log', { listener: silentListener });
    for (let i = 1; i <= 2000; i++) log.append(messageOf('s', `payload ${i}`), TIME);
    await log.close();
    const again = await store.openLog('log', { listener: silentListener });
    const warming = again.warm(1000);
    expect(warming).not.toBeNull();
    await warming;
    expect(again.warm(1000)).toBeNull();
    const into = new StoredMessage();
    expect(again.read(1000, into)).toBe(true);
    expect(readOut(into).payload).toBe('payload 1000');
    await again.close();
    await store.close();
  });

  test('keeps few files open, however many segments there are', async () => {
    const store = await open();
    const log = await store.openLog('log', { listener: silentListener, segmentBytes: 1000 });
    for (let i = 0; i < 400; i++) log.append(messageOf('s', 'x'.repeat(1000)), TIME);
    expect(await log.flush()).toBeNull();
    expect((await store.list('log')).length).toBeGreaterThan(399);
    if (existsSync('/proc/self/fd')) expect(readdirSync('/proc/self/fd').length).toBeLessThan(350);
    const into = new StoredMessage();
    for (let i = 1; i <= 400; i += 3) expect(log.read(i, into)).toBe(true);
    log.trimMessages(300);
    expect(await log.flush()).toBeNull();
    await log.close();
    const again = await store.openLog('log', { listener: silentListener });
    expect(again.state).toMatchObject({ messages: 300, firstSequence: 101 });
    for (let i = 101; i <= 400; i++) expect(again.read(i, into)).toBe(true);
    expect(again.damages).toEqual([]);
    await again.close();
    await store.close();
  });

  test('belongs to one owner at a time', async () => {
    const store = await open();
    await expect(open()).rejects.toMatchObject({ code: 'STORE_IN_USE', message: expect.stringContaining(folder.path) });
    await store.close();
    const next = await open();
    await next.close();
  });

  test('with a long path as well', async () => {
    const long = join(folder.path, 'x'.repeat(100), 'y'.repeat(100));
    const store = await open(long);
    await expect(open(long)).rejects.toMatchObject({ code: 'STORE_IN_USE' });
    await store.close();
    await (await open(long)).close();
  });

  test('is given up by an owner that is killed', async () => {
    const script = `
      const { createServer } = require('node:net');
      const { linkSync, unlinkSync } = require('node:fs');
      const server = createServer().listen('own', () => { linkSync('own', 'lock'); unlinkSync('own'); console.log('up'); });
    `;
    const owner = spawn(process.execPath, ['-e', script], { cwd: folder.path, stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => owner.stdout.once('data', resolve));
    await expect(open()).rejects.toMatchObject({ code: 'STORE_IN_USE' });
    const exited = new Promise((resolve) => owner.once('exit', resolve));
    owner.kill('SIGKILL');
    await exited;
    await (await open()).close();
  });

  test('keeps small files', async () => {
    const store = await open();
    await store.makeFolder('meta');
    expect(await store.readFile('meta/settings')).toBeNull();
    await store.writeFile('meta/settings', utf8('one'));
    await store.writeFile('meta/settings', utf8('two'));
    expect(textOf((await store.readFile('meta/settings')) as Uint8Array)).toBe('two');
    await store.removeFile('meta/settings');
    expect(await store.readFile('meta/settings')).toBeNull();
    await store.removeFolder('meta');
    expect(await store.list('meta')).toEqual([]);
    await store.close();
  });

  test('refuses a key that is none', async () => {
    const encryption = { cipher: 'aes-256-gcm' as const, key: new Uint8Array(5) };
    await expect(
      Store.open({ disk: nodeDisk, clock: systemClock, folder: folder.path, encryption }),
    ).rejects.toMatchObject({
      code: 'STORE_KEY_LENGTH',
    });
  });
});

describe('a small file', () => {
  const open = (disk: FaultDisk) => Store.open({ disk, clock: systemClock, folder: '/store' });

  test('is the old one or the new one, wherever the power fails', async () => {
    const whole = new FaultDisk();
    const store = await open(whole);
    await store.writeFile('state', utf8('old'));
    const begin = whole.steps;
    await store.writeFile('state', utf8('new and longer'));
    for (let crashAt = begin + 1; crashAt <= whole.steps + 1; crashAt++) {
      const disk = new FaultDisk();
      const before = await open(disk);
      await before.writeFile('state', utf8('old'));
      disk.crashAt = crashAt;
      const done = await before.writeFile('state', utf8('new and longer')).then(
        () => true,
        () => false,
      );
      for (let variant = 0; variant < 8; variant++) {
        const after = await open(disk.afterPowerLoss(new Random(crashAt * 8 + variant)));
        const text = textOf((await after.readFile('state')) as Uint8Array);
        if (done) expect(text).toBe('new and longer');
        else expect(['old', 'new and longer']).toContain(text);
      }
    }
  });

  test('that is damaged says so', async () => {
    const disk = new FaultDisk();
    const store = await open(disk);
    await store.writeFile('state', utf8('some state'));
    const good = disk.get('/store/state').slice();
    let damaged = 0;
    for (let at = 0; at < good.length; at++) {
      const bytes = good.slice();
      bytes[at]! ^= 4;
      disk.put('/store/state', bytes);
      const read = await store.readFile('state');
      if (read === 'damaged') damaged++;
      else expect(textOf(read!)).toBe('some state');
    }
    // The header is there twice.
    expect(damaged).toBeGreaterThan(good.length - 140);
    disk.put('/store/state', good.slice(0, 140));
    expect(await store.readFile('state')).toBe('damaged');
  });

  test('is encrypted in a store with a key', async () => {
    const disk = new FaultDisk();
    const encryption = { cipher: 'chacha20-poly1305' as const, key: new Uint8Array(32).fill(1) };
    const store = await Store.open({ disk, clock: systemClock, folder: '/store', encryption });
    await store.writeFile('state', utf8('secret state'));
    expect(Buffer.from(disk.get('/store/state')).includes('secret')).toBe(false);
    expect(textOf((await store.readFile('state')) as Uint8Array)).toBe('secret state');
  });
});
