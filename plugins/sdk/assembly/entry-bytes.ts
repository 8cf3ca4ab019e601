// Compiled in when a plugin has an `onSaveBytes` and an `onRestoreBytes`.
import { endRestore, saveBytes, savedStart, stateBuffer } from 'weir/contract';
import * as plugin from './assembly/index';

export function weir_save(): i32 {
  plugin.onSaveBytes(stateBuffer());
  return saveBytes();
}

export function weir_restore(bytes: u32): i32 {
  plugin.onRestoreBytes(savedStart(), bytes);
  return endRestore();
}
