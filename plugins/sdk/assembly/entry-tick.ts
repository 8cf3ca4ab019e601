// Compiled in when a plugin has an `onTick`.
import { endCall } from 'weir/contract';
import * as plugin from './assembly/index';

export function weir_tick(nowMs: f64): i32 {
  plugin.onTick(nowMs);
  return endCall();
}
