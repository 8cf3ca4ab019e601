import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { type Budget, DEFAULT_BUDGET } from '../../src/sandbox/budget.js';
import { Instance } from '../../src/sandbox/instance.js';
import { prepareModule } from '../../src/sandbox/prepare.js';
import { assemble, hex } from '../hostile/guest.js';

export const WIT = readFileSync(join(import.meta.dirname, '..', '..', 'plugins', 'wit', 'weir-plugin.wit'), 'utf8');

/** Where components of these tests keep their answers, and allocate from. */
export const ANSWER_AT = 0x4000;
const HEAP_AT = 0x8000;

export type World = 'filter' | 'configured-filter' | 'plugin' | 'probe';

/** Parts of a component's core module in the text format; what is left out does the simplest right thing. */
export interface ComponentParts {
  /** Body of `process`. Parameters: 0 subject, 2 whether there is a reply, 3 reply, 5 headers, 7 payload, each followed by its length; 9 time. */
  process?: string;
  /** Locals of `process`: they begin at 10. */
  locals?: string;
  /** What lies at `ANSWER_AT`. */
  answer?: Uint8Array;
  /** Body of `cabi_realloc`. */
  realloc?: string;
  /** Body of what gives the answer of `process` back; there is none when this is left out. */
  post?: string;
  memory?: string;
  /** Further definitions of the module. */
  extra?: string;
  world?: World;
}

const BUMP = `(local $at i32)
  (local.set $at (i32.and (i32.add (global.get $heap) (i32.sub (local.get 2) (i32.const 1))) (i32.sub (i32.const 0) (local.get 2))))
  (block (br_if 0 (i32.le_u (i32.add (local.get $at) (local.get 3)) (i32.mul (memory.size) (i32.const 65536))))
    (br_if 0 (i32.ne (i32.const -1) (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1))))) unreachable)
  (global.set $heap (i32.add (local.get $at) (local.get 3)))
  (local.get $at)`;

/** The component's core module as WebAssembly text: an allocator that only goes up, until the answer is given back. */
export function coreText(parts: ComponentParts): string {
  const { process = `i32.const ${ANSWER_AT}`, locals = '', answer = PASS, realloc = BUMP, post, memory = '1' } = parts;
  return `(module
    (memory (export "memory") ${memory})
    (global $heap (mut i32) (i32.const ${HEAP_AT}))
    ${parts.extra ?? ''}
    (data (i32.const ${ANSWER_AT}) "${hex(answer)}")
    (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) ${realloc})
    ${post === undefined ? '' : `(func (export "cabi_post_weir:plugin/processor@1.0.0#process") (param i32) ${post})`}
    (func $process (export "weir:plugin/processor@1.0.0#process")
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 f64) (result i32) ${locals} ${process}))`;
}

export async function component(parts: ComponentParts = {}): Promise<Uint8Array> {
  return componentOf(await assemble(coreText(parts)), parts.world);
}

/** A core module with a component's types around it. */
export async function componentOf(core: Uint8Array, world: World = 'filter', wit = WIT): Promise<Uint8Array> {
  return componentNew(await componentEmbed({ binary: core, witSource: wit, world }), []);
}

/** A component in the component model's own text format. */
export function componentText(text: string): Promise<Uint8Array> {
  return parse(text);
}

type Text = string | Uint8Array;
export interface Parts {
  subject?: Text;
  reply?: Text;
  headers?: Text;
  payload?: Text;
}
export type Verdict = 'pass' | 'drop' | { replace: Parts } | { reject: { code: number; text: Text } };
export type Effect =
  | { emit: Parts & { subject: Text } }
  | { log: { level: number; text: Text } }
  | { metric: { kind: number; name: Text; value: number } };
export interface Outcome {
  verdict: Verdict;
  effects?: Effect[];
}

/** Lays an answer out as the canonical ABI does, lists and strings behind it; `at` is where it will lie. */
export class Layout {
  private readonly bytes = Buffer.alloc(0x3000);
  private readonly at: number;
  private free: number;

  constructor(at = ANSWER_AT) {
    this.at = at;
    this.free = 64;
  }

  static outcome({ verdict, effects = [] }: Outcome): Uint8Array {
    const layout = new Layout();
    layout.verdict(4, verdict);
    const list = layout.room(effects.length * 48, 8);
    layout.words(56, list + layout.at, effects.length);
    effects.forEach((effect, i) => {
      layout.effect(list + i * 48, effect);
    });
    return layout.done();
  }

  static failure(text: Text): Uint8Array {
    const layout = new Layout();
    layout.bytes[0] = 1;
    layout.list(4, text);
    return layout.done();
  }

  private verdict(at: number, verdict: Verdict): void {
    if (verdict === 'pass') return;
    if (verdict === 'drop') this.bytes[at] = 1;
    else if ('replace' in verdict) {
      const { subject, reply, headers, payload } = verdict.replace;
      this.bytes[at] = 2;
      [subject, reply, headers, payload].forEach((part, i) => {
        this.option(at + 4 + i * 12, part);
      });
    } else {
      this.bytes[at] = 3;
      this.bytes.writeUInt16LE(verdict.reject.code, at + 4);
      this.list(at + 8, verdict.reject.text);
    }
  }

  private effect(at: number, effect: Effect): void {
    if ('emit' in effect) {
      this.list(at + 8, effect.emit.subject);
      this.option(at + 16, effect.emit.reply);
      this.list(at + 28, effect.emit.headers ?? '');
      this.list(at + 36, effect.emit.payload ?? '');
    } else if ('log' in effect) {
      this.bytes[at] = 1;
      this.bytes[at + 8] = effect.log.level;
      this.list(at + 12, effect.log.text);
    } else {
      this.bytes[at] = 2;
      this.bytes[at + 8] = effect.metric.kind;
      this.list(at + 12, effect.metric.name);
      this.bytes.writeDoubleLE(effect.metric.value, at + 24);
    }
  }

  private option(at: number, value: Text | undefined): void {
    if (value === undefined) return;
    this.bytes[at] = 1;
    this.list(at + 4, value);
  }

  private list(at: number, value: Text): void {
    const bytes = Buffer.from(value as string);
    const start = this.room(bytes.length, 1);
    bytes.copy(this.bytes, start);
    this.words(at, start + this.at, bytes.length);
  }

  private words(at: number, ...values: number[]): void {
    values.forEach((value, i) => {
      this.bytes.writeUInt32LE(value, at + i * 4);
    });
  }

  private room(bytes: number, alignment: number): number {
    const start = Math.ceil(this.free / alignment) * alignment;
    this.free = start + bytes;
    return start;
  }

  private done(): Uint8Array {
    return this.bytes.subarray(0, this.free);
  }
}

const PASS = Layout.outcome({ verdict: 'pass' });

/** One that is ready to be called. */
export function open(wasm: Uint8Array, config: unknown = {}, budget: Partial<Budget> = {}): Instance {
  const made = Instance.create(prepareModule(wasm), { ...DEFAULT_BUDGET, ...budget }, JSON.stringify(config));
  if (!(made instanceof Instance)) throw new Error(made.text);
  return made;
}

/** A component whose `process` always answers the same. */
export function answering(outcome: Outcome, parts: ComponentParts = {}): Promise<Uint8Array> {
  return component({ ...parts, answer: Layout.outcome(outcome) });
}

/** Body of a `process` that answers all parts of the message as new ones, and the time as a metric. */
export const ECHO = ((): string => {
  const word = (at: number, value: string) => `(i32.store (i32.const ${ANSWER_AT + at}) ${value})`;
  const part = (at: number, local: number) =>
    `${word(at, '(i32.const 1)')} ${word(at + 4, `(local.get ${local})`)} ${word(at + 8, `(local.get ${local + 1})`)}`;
  return `${word(4, '(i32.const 2)')} ${part(8, 0)} ${part(20, 3)} ${word(20, '(local.get 2)')} ${part(32, 5)} ${part(44, 7)}
    ${word(56, `(i32.const ${ANSWER_AT + 0x100})`)} ${word(60, '(i32.const 1)')}
    ${word(0x100, '(i32.const 2)')} ${word(0x108, '(i32.const 1)')} ${word(0x10c, '(local.get 0)')} ${word(0x110, '(local.get 1)')}
    (f64.store (i32.const ${ANSWER_AT + 0x118}) (local.get 9)) i32.const ${ANSWER_AT}`;
})();
export const GIVE_BACK = `(global.set $heap (i32.const ${HEAP_AT}))`;
