import { Failure } from '../base/failure.js';
import { type DecodedModule, typeOfFunction } from './decoded-module.js';
import { typeName, ValueType } from './value-types.js';

const I32 = ValueType.i32;
const F64 = ValueType.f64;

interface Signature {
  params: ArrayLike<number>;
  results: ArrayLike<number>;
}

/** Functions that a module exports, by name. */
export type Contract = Map<string, Signature & { needed: boolean }>;

/** The functions of the plugin contract. */
export const CORE_CONTRACT: Contract = new Map([
  ['weir_abi', { params: [], results: [I32], needed: true }],
  ['weir_open', { params: [I32, I32], results: [I32], needed: true }],
  ['weir_message', { params: [I32, I32, I32, I32, I32, I32, I32, I32, F64, I32], results: [I32], needed: true }],
  ['weir_init', { params: [I32], results: [I32], needed: false }],
  ['weir_tick', { params: [F64], results: [I32], needed: false }],
  ['weir_drain', { params: [], results: [I32], needed: false }],
  ['weir_save', { params: [], results: [I32], needed: false }],
  ['weir_restore', { params: [I32], results: [I32], needed: false }],
  ['weir_table', { params: [I32, I32], results: [I32], needed: false }],
]);

/** Whether a valid module exports what the contract says; throws a `Failure` that says what it does not. */
export function checkContract(module: DecodedModule, contract: Contract): void {
  if (!module.sections.has(5)) {
    throw new Failure('module-memory', 'the module has no memory; exactly one is expected');
  }
  for (const [name, expected] of contract) {
    const index = module.exports.get(name);
    if (index !== undefined) checkSignature(name, module.types[typeOfFunction(module, index)!], expected);
    else if (expected.needed) {
      throw refused(`the module does not export the function ${JSON.stringify(name)}, which the plugin contract needs`);
    }
  }
}

function checkSignature(name: string, found: Signature, expected: Signature): void {
  if (same(found.params, expected.params) && same(found.results, expected.results)) return;
  throw refused(`the export ${JSON.stringify(name)} has the type ${typeText(found)}, expected ${typeText(expected)}`);
}

function refused(text: string): Failure {
  return new Failure('module-export', text);
}

function same(one: ArrayLike<number>, other: ArrayLike<number>): boolean {
  return one.length === other.length && Array.from(one).every((value, i) => value === other[i]);
}

function typeText({ params, results }: Signature): string {
  const list = (types: ArrayLike<number>) => Array.from(types, typeName).join(', ');
  return `(${list(params)}) -> (${list(results)})`;
}
