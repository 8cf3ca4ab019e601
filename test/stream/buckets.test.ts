// KV and object store: made by clients of streams, so they show whether streams are what clients take them for.
import { Kvm, type KvWatchEntry } from '@nats-io/kv';
import { Objm } from '@nats-io/obj';
import { headers } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { eventually, until } from '../kit/wait.js';
import { describeStreams } from './servers.js';

describeStreams('KV', (at, storage) => {
  const bucket = (name: string, options: object = {}) => new Kvm(at().js).create(name, { storage, ...options });

  it('puts, gets, updates, deletes', async () => {
    const kv = await bucket('b1', { history: 5 });
    expect(await kv.put('a', '1')).toBe(1);
    expect((await kv.get('a'))?.string()).toBe('1');
    expect(await kv.get('b')).toBeNull();
    expect(await kv.update('a', '2', 1)).toBe(2);
    await expect(kv.update('a', '3', 1)).rejects.toMatchObject({ code: 10071 });
    await expect(kv.create('a', '4')).rejects.toThrow();
    expect(await kv.create('c', '5')).toBe(3);
    await kv.delete('a');
    const deleted = await kv.get('a');
    expect([deleted?.operation, deleted?.revision]).toEqual(['DEL', 4]);
    const history: string[] = [];
    for await (const entry of await kv.history({ key: 'a' })) history.push(`${entry.operation} ${entry.string()}`);
    expect(history).toEqual(['PUT 1', 'PUT 2', 'DEL ']);
    expect(await kv.create('a', '6')).toBe(5);
    await kv.purge('a');
    const status = await kv.status();
    expect(status.values).toBe(2);
    const keys: string[] = [];
    for await (const key of await kv.keys()) keys.push(key);
    expect(keys).toEqual(['c']);
  });

  it('purges all keys that one with wildcards matches', async () => {
    const kv = await bucket('b4');
    for (const key of ['x.1', 'x.2', 'y']) await kv.put(key, '1');
    const purge = headers();
    purge.set('KV-Operation', 'PURGE');
    purge.set('Nats-Rollup', 'sub');
    expect((await at().js.publish('$KV.b4.x.*', '', { headers: purge })).seq).toBe(4);
    expect([await kv.get('x.1'), await kv.get('x.2'), (await kv.get('y'))?.string()]).toEqual([null, null, '1']);
    expect((await kv.status()).values).toBe(2);
  });

  it('a purge with a time to live leaves nothing behind when it ends', async () => {
    const kv = await bucket('b1t', { markerTTL: 60_000 });
    await kv.put('a', '1');
    await kv.purge('a', { ttl: '1s' });
    const messages = async () => (await at().manager.streams.info('KV_b1t')).state;
    await eventually(async () => (await messages()).messages === 0, 'the purge to end');
    expect((await messages()).last_seq).toBe(2);
  });

  it('watches', async () => {
    const kv = await bucket('b2');
    await kv.put('x.1', 'old');
    const seen: string[] = [];
    const watch = await kv.watch({ key: 'x.>' });
    const done = (async () => {
      for await (const { key, operation } of watch as AsyncIterable<KvWatchEntry>) {
        seen.push(`${operation} ${key}`);
        if (seen.length === 3) break;
      }
    })();
    await until(() => seen.length === 1, 'what was there', 10_000);
    await kv.put('y.1', 'not asked for');
    await kv.put('x.2', 'new');
    await kv.delete('x.1');
    await done;
    expect(seen).toEqual(['PUT x.1', 'PUT x.2', 'DEL x.1']);
  });
});

describeStreams('object store', (at, storage) => {
  it('keeps objects of many chunks', async () => {
    const store = await new Objm(at().js).create('o1', { storage });
    const bytes = new Uint8Array(700_000).map((_, i) => i * 7);
    const { size, chunks } = await store.putBlob({ name: 'big' }, bytes);
    expect([size, chunks]).toEqual([700_000, 6]);
    expect(Buffer.from((await store.getBlob('big'))!)).toEqual(Buffer.from(bytes));
    await store.putBlob({ name: 'big' }, bytes.subarray(0, 10));
    expect(await store.getBlob('big')).toHaveLength(10);
    expect((await store.list()).map(({ name }) => name)).toEqual(['big']);
    await store.link('alias', (await store.info('big'))!);
    expect(await store.getBlob('alias')).toHaveLength(10);
    expect(await store.delete('big')).toMatchObject({ success: true });
    expect(await store.getBlob('big')).toBeNull();
    expect((await store.status()).size).toBeLessThan(5_000);
  });
});
