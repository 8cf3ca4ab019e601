import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { Compiler } from '../../src/sandbox/compiler.js';
import { Instance } from '../../src/sandbox/instance.js';
import { componentText } from '../components/component.js';
import { guest, writingGuest } from '../hostile/guest.js';

let compiler: Compiler;
beforeEach(() => {
  compiler = new Compiler();
});
afterEach(() => compiler.close());

const budget = DEFAULT_BUDGET;
const endless = '(loop (br 0)) unreachable';

describe('a module', () => {
  test('comes back ready to be instantiated', async () => {
    const prepared = await compiler.prepare(await guest({ message: 'i32.const 1', init: 'i32.const 0' }));
    expect(prepared).toMatchObject({ hasInit: true, hasStart: false, memoryPages: { min: 4 } });
    expect(prepared.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(Instance.create(prepared, budget, '{}')).toBeInstanceOf(Instance);
  });

  test.each<[what: string, make: () => Promise<Uint8Array>, code: string, text: string]>([
    ['empty', async () => new Uint8Array(), 'module-malformed', 'the module is malformed'],
    ['text', async () => Buffer.from('(module)'), 'module-malformed', 'the module is malformed'],
    ['an empty component', async () => componentText('(component)'), 'module-export', 'does not export "weir:plugin'],
    ['a component of components', ofComponents, 'module-component', 'is made of several components'],
    ['asking for a file', async () => importing(), 'module-import', '"wasi.read"'],
    ['without the contract', async () => bare, 'module-memory', 'no memory'],
  ])('is refused: %s', async (_what, make, code, text) => {
    await expect(compiler.prepare(await make())).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
    });
  });

  test('that is refused leaves the next one alone, and answers come in the order of the questions', async () => {
    const good = await guest();
    const order: string[] = [];
    const ask = (name: string, wasm: Uint8Array) =>
      compiler.prepare(wasm).then(
        () => order.push(name),
        () => order.push(`not ${name}`),
      );
    await Promise.all([ask('a', good), ask('b', Uint8Array.of(1)), ask('c', good)]);
    expect(order).toEqual(['a', 'not b', 'c']);
  });
});

test('on this thread, the same comes out, and a mistake is a refusal', async () => {
  let here = true;
  const own = new Compiler(() => here);
  const prepared = await own.prepare(await guest({ init: 'i32.const 0' }));
  expect(await own.start(prepared, { budget, config: '{}', table: null })).toHaveProperty('image.boxes');
  await expect(own.prepare(Uint8Array.of(1))).rejects.toMatchObject({ code: 'module-malformed' });
  here = false;
  expect(await own.prepare(await guest())).toMatchObject({ hasInit: false });
  await own.close();
});

describe('a guest', () => {
  test('is started once, and copies of its image run', async () => {
    const prepared = await compiler.prepare(await guest({ init: 'i32.const 0' }));
    const started = await compiler.start(prepared, { budget, config: '{"a": 1}', table: null });
    if (!('image' in started) || started.image === null) throw new Error(`no image: ${JSON.stringify(started)}`);
    expect(Instance.restore(prepared, budget, started.image)).toBeInstanceOf(Instance);
  });

  test.each([
    ['refuses its configuration', { init: 'i32.const 1' }, 'init', 'the configuration was refused'],
    ['traps when it starts', { init: 'unreachable' }, 'trap', 'weir_init'],
    ['never comes to an end', { init: endless }, 'fuel', 'weir_init'],
    ['has another contract', { abi: 'i32.const 9' }, 'init', 'weir_abi answered 9'],
    ['has no room', { open: 'i32.const 0' }, 'memory', 'answered 0'],
  ])('that %s is a fault', async (_what, parts, cause, text) => {
    const prepared = await compiler.prepare(await guest(parts));
    const started = await compiler.start(prepared, { budget, config: '{}', table: null });
    expect(started).toMatchObject({ fault: { cause, text: expect.stringContaining(text) } });
  });

  test('that fails its own tests is refused, with the test by its name', async () => {
    const prepared = await compiler.prepare(await writingGuest(1, new Uint8Array()));
    const message = { subject: 'a' };
    const drops = { name: 'drops', message, expect: { verdict: 'drop' as const } };
    await compiler.selfTest(prepared, budget, [drops]);
    const passes = { name: 'passes', message, expect: { verdict: 'pass' as const } };
    const refused = compiler.selfTest(prepared, budget, [drops, passes]);
    await expect(refused).rejects.toMatchObject({
      code: 'module-self-test',
      message: expect.stringMatching(/^the module fails its own tests: .*passes/),
    });
  });
});

describe('closing', () => {
  test('refuses what is being prepared and what waits', async () => {
    const wasm = await guest();
    const asked = [compiler.prepare(wasm), compiler.prepare(wasm)].map((answer) => answer.catch((error) => error));
    await compiler.close();
    for (const answer of asked) expect(await answer).toMatchObject({ code: 'module-aborted' });
  });

  test('is no end: the next question starts a new worker', async () => {
    const wasm = await guest();
    await compiler.prepare(wasm);
    await compiler.close();
    expect(await compiler.prepare(wasm)).toMatchObject({ bytes: wasm.length });
  });
});

/** An empty module. */
const bare = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);

/** A component whose core modules are put together by whoever runs it. */
function ofComponents(): Promise<Uint8Array> {
  return componentText('(component (component (core module)))');
}

/** A module with one import, and nothing else. */
function importing(): Uint8Array {
  const name = (text: string) => [text.length, ...Buffer.from(text)];
  const type = [1, 4, 1, 0x60, 0, 0];
  const body = [1, ...name('wasi'), ...name('read'), 0, 0];
  return Uint8Array.of(...bare, ...type, 2, body.length, ...body);
}
