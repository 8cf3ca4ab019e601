import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools';
import { assemble } from '../hostile/guest.js';
import { type ComponentParts, coreText, WIT } from './component.js';

/** Of the second core module: what the first calls by the import "legacy". */
export interface AdapterParts {
  /** Body of `(before (param i32) (result i32))`, which is called before `process` answers. */
  before?: string;
  imports?: string;
  extra?: string;
}

/**
 * A component as tools make it that put an adapter between a program and what it imports: the program, the adapter that shares its memory, a module
 * of a table that stands between them, since each needs the other, and a module that fills the table.
 */
export async function linked(parts: ComponentParts = {}, adapter: AdapterParts = {}): Promise<Uint8Array> {
  const process = `(drop (call $before (i32.const 7))) ${parts.process ?? 'i32.const 0x4000'}`;
  const program = coreText({ ...parts, process }).replace(
    '(module',
    '(module (import "legacy" "before" (func $before (param i32) (result i32)))',
  );
  const text = `(module (import "env" "memory" (memory 0))
    ${adapter.imports ?? ''}
    (global $calls (mut i32) (i32.const 0))
    ${adapter.extra ?? ''}
    (func (export "before") (param i32) (result i32) ${adapter.before ?? 'local.get 0'}))`;
  const binary = await componentEmbed({
    binary: await assemble(program),
    witSource: WIT,
    world: parts.world ?? 'filter',
  });
  return componentNew(binary, [['legacy', await assemble(text)]]);
}
