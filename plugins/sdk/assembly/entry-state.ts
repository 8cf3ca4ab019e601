// Compiled in when a plugin has an `onSave` and an `onRestore`.
import { endRestore, savedText, saveText } from 'weir/contract';
import * as plugin from './assembly/index';

export function weir_save(): i32 {
  return saveText(plugin.onSave());
}

export function weir_restore(bytes: u32): i32 {
  plugin.onRestore(savedText(bytes));
  return endRestore();
}
