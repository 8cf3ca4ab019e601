// Compiled in when a plugin has an `onDrain`.
import { endCall } from 'weir/contract';
import * as plugin from './assembly/index';

export function weir_drain(): i32 {
  plugin.onDrain();
  return endCall();
}
