import { print } from '@bytecodealliance/jco-transpile/wasm-tools';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { Failure } from '../../src/base/failure.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { ByteWriter } from '../../src/sandbox/byte-writer.js';
import { frameOf } from '../../src/sandbox/frame.js';
import { FAULT, Instance } from '../../src/sandbox/instance.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import { WorkerTier } from '../../src/workers/tier.js';
import { assemble } from '../hostile/guest.js';
import { until } from '../kit/wait.js';
import { type Came, sendAll, settingsOf } from '../workers/calls.js';
import { componentOf, componentText, coreText, ECHO, GIVE_BACK, WIT } from './component.js';
import { linked } from './linked.js';

const NOW = { wallMs: 1_700_000_000_123 };
const PAYLOAD = '{"temp":21}';

function open(wasm: Uint8Array, budget = {}): Instance {
  const made = Instance.create(prepareModule(wasm), { ...DEFAULT_BUDGET, ...budget }, '{}');
  if (!(made instanceof Instance)) throw new Error(made.text);
  return made;
}

function call(instance: Instance, payload = PAYLOAD): number {
  const [subject, none, body] = ['plant.a', '', payload].map((text) => Buffer.from(text));
  return instance.call(frameOf(subject, none, none, body), NOW);
}

function payloadOf({ outbox }: Instance): string {
  const { start, end } = outbox.payload!;
  return Buffer.from(outbox.bytes.subarray(start, end)).toString();
}

const LOOP = '(loop (br 0)) unreachable';
const GROW = '(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable';
const MEMORY_MAX = 4 * 1024 * 1024;

/** What is endless, or greedy, in each of the core modules. */
const PLACES: Record<string, (code: string) => Promise<Uint8Array>> = {
  'the program': (code) => linked({ process: code }),
  'its allocator': (code) => linked({ realloc: code }),
  'what gives back': (code) => linked({ post: code }),
  'the adapter': (code) => linked({}, { before: code }),
};

describe('a component of several core modules', () => {
  it('is called, with its state where it belongs', async () => {
    const count = `(global.set $calls (i32.add (global.get $calls) (i32.const 1))) global.get $calls`;
    const process = `(i32.store8 (i32.const 0x4100) (i32.add (i32.const 48) (call $before (i32.const 0))))
      (i32.store (i32.const 0x4004) (i32.const 2)) (i32.store (i32.const 0x402c) (i32.const 1))
      (i32.store (i32.const 0x4030) (i32.const 0x4100)) (i32.store (i32.const 0x4034) (i32.const 1)) i32.const 0x4000`;
    const prepared = prepareModule(await linked({ process }, { before: count }));
    const instance = Instance.create(prepared, DEFAULT_BUDGET, '{}') as Instance;
    for (const expected of ['2', '4', '6']) {
      expect(call(instance)).toBe(2);
      expect(payloadOf(instance)).toBe(expected);
    }
    const copy = Instance.restore(prepared, DEFAULT_BUDGET, instance.image()!) as Instance;
    expect(call(copy)).toBe(2);
    expect(payloadOf(copy)).toBe('8');
  });

  it.each(Object.entries(PLACES))('ends in an endless loop in %s', async (_, made) => {
    const instance = open(await made(LOOP));
    const startedMs = performance.now();
    expect(call(instance)).toBe(FAULT);
    expect(instance.fault.cause).toBe('fuel');
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  it.each(Object.entries(PLACES))('is held to its memory when %s is greedy', async (_, made) => {
    const instance = open(await made(GROW), { memoryBytesMax: MEMORY_MAX, fuelPerMessage: 1_000_000_000 });
    expect(call(instance)).toBe(FAULT);
    expect(instance.memoryBytes).toBeLessThanOrEqual(MEMORY_MAX);
  });

  it('recurses without end from one to the other', async () => {
    const again = '(func (export "again") (param i32) (result i32) (call $before (local.get 0)))';
    const imports = '(import "__main_module__" "again" (func $again (param i32) (result i32)))';
    const instance = open(await linked({ extra: again }, { imports, before: '(call $again (local.get 0))' }));
    expect(call(instance)).toBe(FAULT);
    expect(['trap', 'fuel']).toContain(instance.fault.cause);
  });

  it('takes messages of any length while its memory grows', async () => {
    const instance = open(await linked({ process: ECHO, post: GIVE_BACK }));
    for (const bytes of [0, 1, 17, 1000, 70_000, 300_000, 5]) {
      const payload = 'x'.repeat(bytes);
      expect(call(instance, payload)).toBe(2);
      expect(payloadOf(instance)).toBe(payload);
    }
  });

  it.each([3, 7])('damaged, is refused or fails with a reason (seed %s)', async (seed) => {
    const whole = await linked();
    let state = seed;
    for (let i = 0; i < 400; i++) {
      const bytes = whole.slice();
      for (let flips = 0; flips < 3; flips++) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        bytes[8 + ((state >>> 8) % (bytes.length - 8))] = state >>> 24;
      }
      try {
        call(open(bytes, { fuelPerMessage: 10_000 }));
      } catch (error) {
        if (!(error instanceof Failure)) expect((error as Error).constructor).toBe(Error);
      }
    }
  });
});

describe('beside the event loop, without a meter', () => {
  let tier: WorkerTier;
  beforeEach(() => {
    tier = new WorkerTier(systemClock, () => 1);
  });
  afterEach(() => tier.close());

  it.each(['the program', 'the adapter'])('ends a component that is stuck in %s, and does the rest', async (place) => {
    const isStuck = '(i32.eq (i32.load8_u (local.get 7)) (i32.const 115))';
    const process = `(i32.store8 (i32.const 0x4200) ${isStuck}) (drop (call $before (i32.const 0)))
      ${place === 'the program' ? `(if ${isStuck} (then (loop (br 0))))` : ''} i32.const 0x4000`;
    const before = `${place === 'the adapter' ? '(if (i32.load8_u (i32.const 0x4200)) (then (loop (br 0))))' : ''} i32.const 0`;
    const wasm = await linked({ process }, { before });
    const came: Came[] = [];
    const guest = tier.guest(settingsOf(wasm, { prepared: prepareModule(wasm, false) }));
    sendAll(guest, came, ['a', 'b', 'stuck', 'c']);
    await until(() => came.length === 4, 'the answers', 20_000);
    expect(came.map(({ name, cause }) => `${name} ${cause}`)).toEqual(['a null', 'b null', 'stuck watchdog', 'c null']);
    expect(guest.stuck).toBe(1);
  });
});

/** A function of WASI, as a program declares it and calls it. */
interface Probe {
  /** In WIT. */
  type: string;
  core: string;
  /** Calls it by `$call`; the new payload is what it leaves in the 16 bytes at 0x5000. */
  run: string;
}

async function importing(imported: string, { type, core, run }: Probe): Promise<Uint8Array> {
  const [, packageName, interfaceName, version, name] = imported.match(/^(.*)\/(.*)@(.*)#(.*)$/)!;
  const declared = `package ${packageName}@${version} { interface ${interfaceName} { ${name}: ${type}; } }
    world probe { import ${packageName}/${interfaceName}@${version}; export processor; }`;
  const answer = `(i32.store (i32.const 0x4004) (i32.const 2)) (i32.store (i32.const 0x402c) (i32.const 1))
    (i32.store (i32.const 0x4030) (i32.const 0x5000)) (i32.store (i32.const 0x4034) (i32.const 16)) i32.const 0x4000`;
  const text = coreText({ process: `${run} ${answer}` }).replace(
    '(module',
    `(module (import "${packageName}/${interfaceName}@${version}" "${name}" (func $call ${core}))`,
  );
  return componentOf(await assemble(text), 'probe', `${WIT}\n${declared}`);
}

const CLOCK = { type: 'func() -> u64', core: '(result i64)', run: '(i64.store (i32.const 0x5000) (call $call))' };
const LIST = {
  type: 'func() -> list<tuple<string, string>>',
  core: '(param i32)',
  run: '(i64.store (i32.const 0x5000) (i64.const -1)) (call $call (i32.const 0x5000))',
};

describe('what a component imports of WASI', () => {
  const payload = (instance: Instance) => {
    const { start, end } = instance.outbox.payload!;
    return Buffer.from(instance.outbox.bytes.subarray(start, end));
  };

  it('tells the time of the message, and no other', async () => {
    const instance = open(await importing('wasi:clocks/monotonic-clock@0.2.3#now', CLOCK));
    expect(call(instance)).toBe(2);
    expect(payload(instance).readBigInt64LE()).toBe(BigInt(NOW.wallMs) * 1_000_000n);
  });

  it('has chance that comes out the same each time', async () => {
    const wasm = await importing('wasi:random/random@0.2.0#get-random-u64', CLOCK);
    const drawn = [1, 2].map(() => {
      const instance = open(wasm);
      return Array.from({ length: 20 }, () => {
        expect(call(instance)).toBe(2);
        return payload(instance).readBigInt64LE();
      });
    });
    expect(drawn[0]).toEqual(drawn[1]);
    expect(new Set(drawn[0]).size).toBe(20);
  });

  it('gives bytes of chance, into memory that the guest allocates', async () => {
    const bytes = {
      type: 'func(len: u64) -> list<u8>',
      core: '(param i64 i32)',
      run: `(call $call (i64.const 16) (i32.const 0x6000))
        (memory.copy (i32.const 0x5000) (i32.load (i32.const 0x6000)) (i32.load (i32.const 0x6004)))`,
    };
    const instance = open(await importing('wasi:random/random@0.2.0#get-random-bytes', bytes));
    expect(call(instance)).toBe(2);
    expect(new Set(payload(instance)).size).toBeGreaterThan(8);
    const greedy = { ...bytes, run: '(call $call (i64.const 0xffffffffffff) (i32.const 0x6000))' };
    expect(call(open(await importing('wasi:random/random@0.2.0#get-random-bytes', greedy)))).toBe(FAULT);
  });

  it('has an empty environment', async () => {
    const instance = open(await importing('wasi:cli/environment@0.2.3#get-environment', LIST));
    expect(call(instance)).toBe(2);
    expect([payload(instance).readUInt32LE(0), payload(instance).readUInt32LE(4)]).toEqual([8, 0]);
  });

  it.each([
    ['wasi:cli/exit@0.2.3#exit', 'func(status: result)', '(param i32)', '(call $call (i32.const 0))'],
    ['wasi:sockets/network@0.2.3#instance-network', 'func() -> u32', '(result i32)', '(drop (call $call))'],
    // Not what it is elsewhere.
    ['wasi:cli/stdout@0.2.3#get-stdout', 'func() -> u64', '(result i64)', '(drop (call $call))'],
  ] as const)('traps by name where nothing could be answered: %s', async (imported, type, core, run) => {
    const instance = open(await importing(imported, { type, core, run }));
    expect(call(instance)).toBe(FAULT);
    expect(instance.fault.text).toContain(`trapped: unreachable, in ${imported}`);
  });
});

describe('a component that cannot become one module', () => {
  const REFUSED: Record<string, [wasm: () => Promise<Uint8Array>, refusal: RegExp]> = {
    'two memories': [
      async () => {
        const text = await print(await linked());
        const more = '(core module $more (memory 1)) (core instance (instantiate $more)) (core instance $main';
        return componentText(text.replace('(core instance $main', more));
      },
      /has 2 memories, and a plugin has one: link its parts .* or let each be a plugin and attach them one behind the other/,
    ],
    'a module twice': [
      () =>
        componentText(
          '(component (core module $one) (core instance (instantiate $one)) (core instance (instantiate $one)))',
        ),
      /does not export/,
    ],
    'more entries than anyone needs': [
      async () => {
        const globals = new ByteWriter().u32(1_000_000).raw(new Array(1_000_000).fill([0x7f, 0, 0x41, 0, 0x0b]).flat());
        const core = new ByteWriter().raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]).section(6, globals);
        // Of four modules the last is this.
        const instance = new ByteWriter().raw([1, 0, 4, 0]);
        return new ByteWriter()
          .raw(await linked())
          .section(1, core)
          .section(2, instance)
          .bytes();
      },
      /core modules have too many entries; at most 200000/,
    ],
    'components with modules within it': [
      () => componentText('(component (component (core module)))'),
      /is made of several components with core modules of their own; a plugin is one component with one memory: link/,
    ],
    'resources of its own': [
      () => componentText('(component (type $r (resource (rep i32))) (core func (canon resource.new $r)))'),
      /has resources of its own/,
    ],
  };
  it.each(Object.entries(REFUSED))('%s', async (_, [wasm, refusal]) => {
    const bytes = await wasm();
    expect(() => prepareModule(bytes)).toThrow(refusal);
  });
});
