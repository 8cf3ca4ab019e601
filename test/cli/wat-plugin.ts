import wabtModule from 'wabt';

const contract = `
  (memory (export "memory") 4)
  (data (i32.const 16) "\\00\\01\\00\\00\\00\\00\\01\\00\\00\\01\\01\\00\\00\\00\\01\\00")
  (func (export "weir_abi") (result i32) i32.const 1)
  (func (export "weir_open") (param i32 i32) (result i32) i32.const 16)`;
const parameters = '(param i32 i32 i32 i32 i32 i32 i32 i32 f64 i32)';

/** A plugin of a few bytes, whose `weir_message` has the given body; parameter 7 is the payload's length. */
export async function watPlugin(body: string): Promise<Uint8Array> {
  const wabt = await wabtModule();
  const text = `(module ${contract} (func (export "weir_message") ${parameters} (result i32) ${body}))`;
  return wabt.parseWat('plugin.wat', text).toBinary({}).buffer;
}

/** Passes messages with a payload and drops those without. */
export const dropsEmpty = '(i32.eqz (local.get 7))';
/** Rejects everything. */
export const rejectsAll = 'i32.const 3';
/** Drops everything. */
export const dropsAll = 'i32.const 1';
