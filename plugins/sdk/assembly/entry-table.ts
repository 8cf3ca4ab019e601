// Compiled in when a plugin has an `onEntry`.
import { endRestore, entryKey, entryValue } from 'weir/contract';
import * as plugin from './assembly/index';

export function weir_table(keyBytes: u32, valueBytes: i32): i32 {
  plugin.onEntry(entryKey(keyBytes), entryValue(keyBytes, valueBytes));
  return endRestore();
}
