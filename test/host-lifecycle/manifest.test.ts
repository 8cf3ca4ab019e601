import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { headers } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildFolder } from '../../src/cli/plugin-build.js';
import { pluginFolder } from '../../src/cli/plugin-folder.js';
import { guest } from '../hostile/guest.js';
import { tempFolder } from '../kit/temp-folder.js';
import { Stage, verdictGuest } from './stage.js';

// A script beside the sources: it has no types.
const script = pathToFileURL(join(import.meta.dirname, '..', '..', 'plugins', 'build', 'manifest.mjs')).href;
const { appendSection }: { appendSection: (wasm: Uint8Array, manifest: object) => Uint8Array } = await import(script);

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open();
});
afterEach(() => stage.close());

const withManifest = async (manifest: object) => appendSection(await verdictGuest(0), manifest);
const refusal = async (operation: string, body: object | Uint8Array) =>
  (await stage.api(operation, body)).error?.description;

describe('a manifest', () => {
  test.each([
    [{ needs: { payload: 'some' } }, /manifest cannot be used: needs\.payload: /],
    [{ colour: 'red' }, /manifest cannot be used: "colour" is not known/],
    [{ grants: ['fly'] }, /manifest cannot be used: grants\.0: .*"fly"/],
    [{ budget: { fuel_per_message: 1 } }, /manifest cannot be used: budget\.fuel_per_message: /],
    [{ config: { type: 'objekt' } }, /config\.type is "objekt", which does not fit the keyword/],
    [{ config: { properties: { a: { $ref: '#' } } } }, /config\.properties\.a: the keyword "\$ref" is not known/],
  ])('%j is refused', async (manifest, text) => {
    expect(await refusal('PLUGIN.INSTALL.p', await withManifest(manifest))).toMatch(text);
    expect(await stage.done('PLUGIN.LIST')).toMatchObject({ total: 0 });
  });

  test('that is not JSON, is there twice or is too large is refused', async () => {
    const good = await withManifest({});
    const twice = appendSection(good, {});
    expect(await refusal('PLUGIN.INSTALL.p', twice)).toMatch(/second section "weir\.manifest"/);
    const large = await withManifest({ x: 'x'.repeat(300_000) });
    expect(await refusal('PLUGIN.INSTALL.p', large)).toMatch(/bytes of the section "weir\.manifest"; at most 262144/);
    const broken = Buffer.from(good);
    broken[broken.length - 1] = 0x20;
    expect(await refusal('PLUGIN.INSTALL.p', broken)).toMatch(/manifest cannot be used: it is not JSON/);
  });

  test('has defaults and limits for the configuration', async () => {
    const config = {
      type: 'object',
      required: ['field'],
      additionalProperties: false,
      properties: {
        field: { type: 'string', minLength: 1, description: 'Path of the number.' },
        most: { type: 'integer', minimum: 1, maximum: 9, default: 5 },
        kind: { enum: ['a', 'b'], default: 'a' },
        list: { type: 'array', maxItems: 2, items: { type: 'number' } },
        inner: { type: 'object', additionalProperties: { type: 'boolean' } },
      },
    };
    await stage.done('PLUGIN.INSTALL.p', await withManifest({ config }));
    const attach = (value: unknown) =>
      refusal('ATTACHMENT.CREATE.p', { plugin: 'p', subject: 'x', config: value, replace: true });
    const head = 'the configuration of plugin "p": ';
    expect(await attach(undefined)).toBe(`${head}"field" is missing: Path of the number.`);
    expect(await attach([])).toBe(`${head}it is []; expected an object`);
    expect(await attach({ field: 7 })).toBe(`${head}"field" is 7; expected a text`);
    expect(await attach({ field: '' })).toBe(`${head}"field" has 0 characters; expected at least 1`);
    expect(await attach({ field: 'a', most: 10 })).toBe(`${head}"most" is 10; expected at most 9`);
    expect(await attach({ field: 'a', most: 1.5 })).toBe(`${head}"most" is 1.5; expected a whole number`);
    expect(await attach({ field: 'a', kind: 'c' })).toBe(`${head}"kind" is "c"; expected "a", "b"`);
    expect(await attach({ field: 'a', list: [1, 2, 3] })).toBe(`${head}"list" has 3 entries; expected at most 2`);
    expect(await attach({ field: 'a', list: ['x'] })).toBe(`${head}"list[0]" is "x"; expected a number`);
    expect(await attach({ field: 'a', inner: { b: 1 } })).toBe(`${head}"inner.b" is 1; expected true or false`);
    expect(await attach({ field: 'a', mots: 1 })).toBe(
      `${head}"mots" is not known; known are field, most, kind, list, inner`,
    );
    expect(await attach({ field: 'a' })).toBeUndefined();
    expect(JSON.parse(stage.server.host.attachments.get('p')!.config)).toEqual({ field: 'a', most: 5, kind: 'a' });
  });

  test('asks for budgets and grants', async () => {
    const wasm = await withManifest({
      budget: { fuel_per_message: 5000, memory_bytes: 393216 },
      grants: ['log', 'emit'],
    });
    await stage.done('PLUGIN.INSTALL.p', wasm);
    const definition = { plugin: 'p', subject: 'x' };
    expect(await refusal('ATTACHMENT.CREATE.p', { ...definition, grants: { log: true } })).toMatch(
      /plugin "p" needs the grants emit; add them, or "force": true/,
    );
    const grants = { log: true, emit: ['y'] };
    await stage.done('ATTACHMENT.CREATE.p', { ...definition, grants, budget: { memory_bytes: 327680 } });
    expect(stage.server.host.attachments.get('p')!.budget).toMatchObject({
      fuelPerMessage: 5000,
      memoryBytesMax: 327680,
    });
  });

  test('cannot ask for more than a turn of the event loop has', async () => {
    const budget = { fuel_per_message: 1_000_000_000, memory_bytes: 256 * 1024 * 1024, output_bytes: 64 * 1024 * 1024 };
    await stage.done('PLUGIN.INSTALL.p', await withManifest({ budget }));
    await stage.done('ATTACHMENT.CREATE.p', { plugin: 'p', subject: 'x' });
    const found = () => stage.server.host.attachments.get('p')!.budget;
    expect(found()).toMatchObject({ fuelPerMessage: 2_000_000, memoryBytesMax: 64 * 1024 * 1024 });
    expect(found().outputBytesMax).toBe(4 * 1024 * 1024);
    // Whoever attaches it may.
    await stage.done('ATTACHMENT.BUDGET.p', { fuel_per_message: 5_000_000 });
    expect(found().fuelPerMessage).toBe(5_000_000);
  });

  test('asks for more further messages of a message; the operator has the last word', async () => {
    const found = () => stage.server.host.attachments.get('p')!.emitsMax;
    const definition = { plugin: 'p', subject: 'x', replace: true };
    for (const [asked, granted] of [
      [undefined, 8],
      [20, 20],
      [1_000, 64],
    ]) {
      await stage.done('PLUGIN.INSTALL.p', await withManifest({ budget: { emits_per_message: asked } }));
      await stage.done('ATTACHMENT.CREATE.p', definition);
      expect(found()).toBe(granted);
    }
    await stage.done('ATTACHMENT.BUDGET.p', { emits_per_message: 500 });
    expect(found()).toBe(500);
  });

  test('says what of a message it looks at: the rest is not there', async () => {
    // Drops unless headers and payload have these lengths; the first byte of the payload is what it was.
    const looks = (headers: number, payload: number) =>
      guest({
        message: `(i32.or (i32.ne (local.get 5) (i32.const ${headers})) (i32.ne (local.get 7) (i32.const ${payload})))`,
      });
    const block = 'NATS/1.0\r\nA: b\r\n\r\n'.length;
    const cases: [needs: object, headers: number, payload: number][] = [
      [{}, block, 5],
      [{ headers: false }, 0, 5],
      [{ payload: 'none' }, block, 0],
      [{ payload: 3 }, block, 3],
      [{ payload: 3, headers: false }, 0, 3],
      [{ payload: 9 }, block, 5],
      [{ payload: 'none', headers: false }, 0, 0],
    ];
    const withHeader = headers();
    withHeader.set('A', 'b');
    for (const [i, [needs, headerBytes, payloadBytes]] of cases.entries()) {
      const name = `p${i}`;
      await stage.bring(name, appendSection(await looks(headerBytes, payloadBytes), { needs }));
      const arrived = await stage.listen(`${name}.in`);
      stage.client.publish(`${name}.in`, 'hello', { headers: withHeader });
      await stage.client.flush();
      expect([needs, arrived.map((message) => [message.string(), message.headers?.get('A')])]).toEqual([
        needs,
        [['hello', 'b']],
      ]);
    }
  });

  test('holds tests that have to come out the same here', async () => {
    const test = (verdict: string) => ({ name: 'one', message: { subject: 'a' }, expect: { verdict } });
    expect(await refusal('PLUGIN.INSTALL.p', await withManifest({ self_tests: [test('drop')] }))).toBe(
      'the module fails its own tests: its test "one" expects [["verdict","drop"]], here it gives [["verdict","pass"]]',
    );
    await stage.done('PLUGIN.INSTALL.p', await withManifest({ self_tests: [test('pass')] }));
  });
});

test('a build embeds plugin.json and what the cases of tests/ came to', { timeout: 60_000 }, async () => {
  const folder = tempFolder();
  const path = join(folder.path, 'upper');
  mkdirSync(join(path, 'assembly'), { recursive: true });
  mkdirSync(join(path, 'tests'));
  writeFileSync(join(path, 'plugin.json'), JSON.stringify({ description: 'Counts.', needs: { tick_ms: 1000 } }));
  writeFileSync(
    join(path, 'assembly', 'index.ts'),
    `import { emit, Json, Message, refuse, Verdict } from 'weir/plugin';
     let count: i32 = 0;
     export function onMessage(message: Message): Verdict {
       message.text = (++count).toString();
       return Verdict.Replace;
     }
     export function onTick(nowMs: f64): void { emit('ticks', count.toString()); }
     export function onDrain(): void { emit('ticks', 'end'); }
     export function onSave(): string { return count.toString(); }
     export function onRestore(state: string): void {
       if (isNaN(parseInt(state))) return refuse('not a number');
       count = <i32>parseInt(state);
     }`,
  );
  const message = { name: 'first', message: { payload: { a: 1 } }, expect: { verdict: 'replace', payload: '1' } };
  writeFileSync(join(path, 'tests', 'count.json'), JSON.stringify({ cases: [message] }));
  const { manifest, prepared } = await buildFolder(pluginFolder(path));
  expect(manifest).toMatchObject({ description: 'Counts.', needs: { tick_ms: 1000 } });
  expect(JSON.parse(prepared.manifest!).self_tests).toEqual([
    {
      name: 'count.json: first',
      message: { subject: 'test', payload: '{"a":1}' },
      expect: { verdict: 'replace', payload: '1' },
    },
  ]);
  const wasm = readFileSync(join(path, 'build', 'upper.wasm'));
  await stage.bring('upper', wasm, { grants: { emit: ['ticks'], state: true } });
  const attachment = stage.server.host.attachments.get('upper')!;
  expect(attachment.tickMs).toBe(1000);
  const arrived = await stage.listen('upper.in');
  for (let i = 0; i < 3; i++) stage.client.publish('upper.in', 'x');
  await stage.client.flush();
  expect(arrived.map((each) => each.string())).toEqual(['1', '2', '3']);
  expect(Buffer.from(attachment.save()!).toString()).toBe('3');
  expect(attachment.restore(Buffer.from('41'))).toBe(true);
  expect(attachment.restore(Buffer.from('x'))).toBe(false);
  expect(attachment.fault.text).toBe('weir_restore answered -1: not a number');
  stage.client.publish('upper.in', 'x');
  await stage.client.flush();
  expect(arrived.at(-1)!.string()).toBe('42');
  const ticks = await stage.listen('ticks');
  await stage.done('ATTACHMENT.DELETE.upper');
  await stage.client.flush();
  expect(ticks.map((each) => each.string())).toEqual(['end']);
  folder.remove();
});
