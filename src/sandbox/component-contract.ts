import { Failure } from '../base/failure.js';
import type { ComponentFunctionName, ComponentFunctions, LiftedFunction } from './component-functions.js';
import type { Contract } from './contract.js';
import { ValueType } from './value-types.js';

const { i32: I32, f64: F64 } = ValueType;

/** The package `plugins/wit/weir-plugin.wit`: interfaces are known by this name and version, and no other. */
const PACKAGE = 'weir:plugin/';
const VERSION = '1.0.0';
const NAME_CHARACTERS_MAX = 100;

interface WitFunction {
  interface: string;
  /** Its type, as `ComponentTypes` writes it. */
  type: string;
  /** Parameters of the core function; its result is an address. */
  params: readonly number[];
}

const MESSAGE = 'record{subject:string,reply:option<string>,headers:list<u8>,payload:list<u8>,timestamp-ms:f64}';
const REPLACEMENT =
  'record{subject:option<string>,reply:option<string>,headers:option<list<u8>>,payload:option<list<u8>>}';
const REJECTION = 'record{code:u16,text:string}';
const VERDICT = `variant{pass,drop,replace(${REPLACEMENT}),reject(${REJECTION})}`;
const EMISSION = 'record{subject:string,reply:option<string>,headers:list<u8>,payload:list<u8>}';
const LINE = 'record{level:enum{debug,info,warn,error},text:string}';
const SAMPLE = 'record{kind:enum{counter,gauge,histogram},name:string,value:f64}';
const EFFECTS = `list<variant{emit(${EMISSION}),log(${LINE}),metric(${SAMPLE})}>`;
const OUTCOME = `record{verdict:${VERDICT},effects:${EFFECTS}}`;

/** The functions of `weir-plugin.wit`, all of them and no other: tests build components by the file, and one that is not here is refused. */
const WIT_FUNCTIONS: Readonly<Record<ComponentFunctionName, WitFunction>> = {
  process: {
    interface: 'processor',
    type: `func(message:${MESSAGE})->result<${OUTCOME},string>`,
    params: [I32, I32, I32, I32, I32, I32, I32, I32, I32, F64],
  },
  configure: { interface: 'configurable', type: 'func(config:string)->result<_,string>', params: [I32, I32] },
  tick: { interface: 'timed', type: `func(now-ms:f64)->result<${EFFECTS},string>`, params: [F64] },
  drain: { interface: 'timed', type: `func()->result<${EFFECTS},string>`, params: [] },
  save: { interface: 'stateful', type: 'func()->result<list<u8>,string>', params: [] },
  entry: {
    interface: 'tabular',
    type: 'func(key:string,value:option<list<u8>>)->result<_,string>',
    params: [I32, I32, I32, I32, I32],
  },
  restore: { interface: 'stateful', type: 'func(state:list<u8>)->result<_,string>', params: [I32, I32] },
};

export const FUNCTION_NAMES = Object.keys(WIT_FUNCTIONS) as ComponentFunctionName[];

/** The name under which a component exports the interface of a function. */
export function interfaceOf(name: ComponentFunctionName): string {
  return `${PACKAGE}${WIT_FUNCTIONS[name].interface}@${VERSION}`;
}

/** How a function of the component is called, by names of exports of its core module. */
export interface Lift {
  readonly core: string;
  readonly realloc: string | null;
  readonly post: string | null;
  /** As `WitFunction.type`. */
  readonly type: string;
}

export type Lifts = ReadonlyMap<ComponentFunctionName, Lift>;

/** Throws a `Failure` that says what the component does not have, has in another form, or has besides; `exported` are its interfaces' functions. */
export function checkLifts(lifts: Lifts, exported: ReadonlyMap<string, ReadonlyMap<string, unknown>>): void {
  if (!lifts.has('process')) {
    const other = [...exported.keys()].find((name) => name.startsWith(PACKAGE));
    const found = other === undefined ? '' : `; it exports ${JSON.stringify(other.slice(0, NAME_CHARACTERS_MAX))}`;
    throw refused(`the component does not export "${interfaceOf('process')}", which the plugin contract needs${found}`);
  }
  for (const [name, { type }] of lifts) {
    const expected = WIT_FUNCTIONS[name].type;
    if (type === expected) continue;
    throw refused(`the component's function "${name}" has the type ${type}, expected ${expected}`);
  }
  for (const [one, other] of [
    ['tick', 'drain'],
    ['save', 'restore'],
  ] as const) {
    if (lifts.has(one) !== lifts.has(other)) throw refused(`the component has one of "${one}" and "${other}" only`);
  }
  for (const [name, functions] of exported) if (name.startsWith(PACKAGE)) checkNames(name, [...functions.keys()]);
}

/** What nobody would ever call is refused, as names that begin with `weir_` are of a core module. */
function checkNames(name: string, functions: readonly string[]): void {
  const unknown = functions.find(
    (one) => !FUNCTION_NAMES.some((known) => known === one && interfaceOf(known) === name),
  );
  if (unknown === undefined) return;
  const [one, interfaceName] = [unknown, name].map((text) => JSON.stringify(text.slice(0, NAME_CHARACTERS_MAX)));
  throw refused(`the component exports ${one} in ${interfaceName}, which is no function of the plugin contract`);
}

/** What the core module must export, by its own names. */
export function coreContract(lifts: Lifts): Contract {
  const contract: Contract = new Map();
  const want = (name: string | null, params: readonly number[], results: readonly number[]) => {
    if (name !== null) contract.set(name, { params, results, needed: true });
  };
  for (const [name, { core, realloc, post }] of lifts) {
    want(core, WIT_FUNCTIONS[name].params, [I32]);
    want(realloc, [I32, I32, I32, I32], [I32]);
    want(post, [I32], []);
  }
  return contract;
}

/** The functions' indexes in the core module, which has what `coreContract` says. */
export function functionsOf(
  { lifts, clockGlobal }: { lifts: Lifts; clockGlobal: number | null },
  exports: ReadonlyMap<string, number>,
): ComponentFunctions {
  const found = (name: ComponentFunctionName): LiftedFunction | undefined => {
    const lift = lifts.get(name);
    if (lift === undefined) return undefined;
    return { index: exports.get(lift.core)!, post: lift.post === null ? null : exports.get(lift.post)! };
  };
  return {
    // Whoever takes a string has it; all of a component's functions share it.
    realloc: exports.get(lifts.get('process')!.realloc!)!,
    process: found('process')!,
    configure: found('configure'),
    tick: found('tick'),
    drain: found('drain'),
    save: found('save'),
    restore: found('restore'),
    entry: found('entry'),
    clockGlobal,
  };
}

function refused(text: string): Failure {
  return new Failure('module-export', text);
}
