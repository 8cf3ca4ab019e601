import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import wabtModule from 'wabt';
import { arenaOffset, takeFromArena } from '../../src/base/arena.js';
import { wordsOf } from '../../src/base/bytes.js';
import { DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { type Frame, frameOf } from '../../src/sandbox/frame.js';
import { GuestMemory } from '../../src/sandbox/guest-memory.js';
import { FAULT, Instance, type WallTime } from '../../src/sandbox/instance.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import { bareGuest, type Call, meteredGuest } from '../guest-calls.js';
import type { MicroFigure } from '../micro.js';
import { CONFIGS, READING, SUBJECT } from '../readings.js';
import { kept, nsPerStep } from '../timing.js';

const CALLS = 200_000;
const SPAN = 64 * 1024;
const NONE = new Uint8Array(0);

/** What a call costs besides the guest's own work, and what metering costs that. */
export async function benches(): Promise<MicroFigure[]> {
  return [
    ...copies(),
    ...(await calls()),
    ...(await componentCalls()),
    ...(await inTurn()),
    ...Object.keys(CONFIGS).flatMap(metering),
  ];
}

/** Ways to bring a frame into a guest's memory: why `GuestMemory` copies doubles. */
function copies(): MicroFigure[] {
  const source = new Uint8Array(SPAN * 2).map((_, i) => 0x20 + (i % 90));
  const words = wordsOf(source);
  const memory = new GuestMemory(new WebAssembly.Memory({ initial: 4 }).buffer);
  return [26, 149, 300].flatMap((bytes) => [
    {
      name: `frame of ${bytes} B, GuestMemory`,
      ns: nsPerStep(CALLS, () => {
        for (let i = 0; i < CALLS; i++) memory.copyIn(1024, source, words, (i * 41) & (SPAN - 1), bytes);
      }),
    },
    {
      name: `frame of ${bytes} B, set with a view`,
      ns: nsPerStep(CALLS, () => {
        for (let i = 0, at = 0; i < CALLS; i++, at = (i * 41) & (SPAN - 1)) {
          memory.bytes.set(source.subarray(at, at + bytes), 1024);
        }
      }),
    },
  ]);
}

/** A guest that looks at nothing: `passing` in the text format. */
const PASSING = `(module
  (memory (export "memory") 4)
  (data (i32.const 16) "\\00\\00\\01\\00\\00\\00\\01\\00\\00\\00\\02\\00\\00\\00\\01\\00")
  (func (export "weir_abi") (result i32) i32.const 1)
  (func (export "weir_open") (param i32 i32) (result i32) i32.const 16)
  (func (export "weir_message") (param i32 i32 i32 i32 i32 i32 i32 i32 f64 i32) (result i32) i32.const 0))`;

async function passing(): Promise<Uint8Array> {
  const wabt = await wabtModule();
  return wabt.parseWat('passing.wat', PASSING).toBinary({}).buffer;
}

function frame(payload: Uint8Array): Frame {
  return frameOf(Buffer.from(SUBJECT), NONE, NONE, payload);
}

async function calls(): Promise<MicroFigure[]> {
  const instance = open(await passing(), {});
  return [16, 128, 1024].flatMap((bytes) => {
    const message = frame(new Uint8Array(bytes).fill(0x78));
    return [
      { name: `call of a guest that passes all, ${bytes} B`, ns: nsPerCall([instance], message) },
      { name: `the same, ${bytes} B from the arena`, ns: nsPerCall([instance], inArena(message)) },
    ];
  });
}

/** A frame where those from sockets lie. */
function inArena(message: Frame): Frame {
  const bytes = takeFromArena(message.bytes.length)!;
  bytes.set(message.bytes);
  return { ...message, bytes, words: wordsOf(bytes), arenaOffset: arenaOffset(bytes) };
}

/** The same guest as a component, and how it compares: allocates by counting up, and answers that the message may pass. */
const PASSING_COMPONENT = `(module
  (memory (export "memory") 2)
  (global $heap (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $heap (i32.add (global.get $heap) (local.get 3))) (i32.sub (global.get $heap) (local.get 3)))
  (func (export "weir:plugin/processor@1.0.0#process") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 f64) (result i32) i32.const 64)
  (func (export "cabi_post_weir:plugin/processor@1.0.0#process") (param i32) (global.set $heap (i32.const 1024))))`;

async function componentCalls(): Promise<MicroFigure[]> {
  const { componentEmbed, componentNew } = await import('@bytecodealliance/jco-transpile/wasm-tools');
  const binary = (await wabtModule()).parseWat('component.wat', PASSING_COMPONENT).toBinary({}).buffer;
  const witSource = readFileSync(join('plugins', 'wit', 'weir-plugin.wit'), 'utf8');
  const wasm = await componentNew(await componentEmbed({ binary, witSource, world: 'filter' }), []);
  const instances = { core: open(await passing(), {}), component: open(wasm, {}) };
  // With both in the process: where a guest is the only one, its function is called without looking it up.
  for (const instance of Object.values(instances)) nsPerCall([instance], frame(new Uint8Array(16)));
  return [16, 128, 1024].map((bytes) => {
    const message = frame(new Uint8Array(bytes).fill(0x78));
    const core = nsPerCall([instances.core], message);
    const ns = nsPerCall([instances.component], message);
    return {
      name: `call of a component that passes all, ${bytes} B`,
      ns,
      note: `${(ns / core).toFixed(2)}× the module`,
    };
  });
}

async function inTurn(): Promise<MicroFigure[]> {
  const wasm = await passing();
  const message = frame(new Uint8Array(128).fill(0x78));
  return [50, 1000].map((count) => {
    const instances = Array.from({ length: count }, () => open(wasm, {}));
    return { name: `${count} guests in turn, 128 B from the arena`, ns: nsPerCall(instances, inArena(message)) };
  });
}

function open(wasm: Uint8Array, config: object): Instance {
  const made = Instance.create(prepareModule(wasm), DEFAULT_BUDGET, JSON.stringify(config));
  if (!(made instanceof Instance)) throw new Error(made.text);
  return made;
}

function nsPerCall(instances: Instance[], message: Frame): number {
  // Code of its own for each figure: the engine inlines a guest's function where it is the only one.
  const run = new Function(
    'instances',
    'message',
    'now',
    'kept',
    `for (let i = 0, at = 0; i < ${CALLS}; i++, at = at + 1 === instances.length ? 0 : at + 1) {
      const verdict = instances[at].call(message, now);
      if (verdict === ${FAULT}) throw new Error(instances[at].fault.text);
      kept.value += verdict;
    }`,
  ) as (instances: Instance[], message: Frame, now: WallTime, sum: typeof kept) => void;
  return nsPerStep(CALLS, () => run(instances, message, { wallMs: 0 }, kept));
}

/** A bundled plugin as it was compiled, and metered; the message is in its inbox already. */
function metering(plugin: string): MicroFigure[] {
  const wasm = readFileSync(join('dist', 'plugins', `${plugin}.wasm`));
  const config = JSON.stringify(CONFIGS[plugin]);
  const bare = nsOf(bareGuest(wasm, config, frame(READING)));
  const metered = nsOf(meteredGuest(wasm, config, frame(READING)));
  return [
    { name: `${plugin} without meter`, ns: bare },
    { name: `${plugin} metered`, ns: metered, note: `${(metered / bare).toFixed(2)}×` },
  ];
}

function nsOf(call: Call): number {
  return nsPerStep(CALLS, () => {
    for (let i = 0; i < CALLS; i++) kept.value += call();
  });
}
