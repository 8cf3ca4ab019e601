import { DEFAULT_BUDGET } from '../src/sandbox/budget.js';
import { decodeModule } from '../src/sandbox/decode.js';
import type { Frame } from '../src/sandbox/frame.js';
import { HOST_MEMORY, HostExport, rewriteModule } from '../src/sandbox/rewrite.js';

/** A guest's own work for one message, which is in its inbox already. */
export type Call = () => number;

type Exports = Record<string, (...args: number[]) => number>;

const BOX_BYTES = 64 * 1024;

/** A plugin as it was compiled. */
export function bareGuest(wasm: Uint8Array, config: string, frame: Frame): Call {
  const exports = new WebAssembly.Instance(new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>)).exports;
  const { weir_message } = exports as Exports;
  const { inbox, answers } = opened(exports, config, frame);
  const { subjectBytes, payload, payloadBytes } = placesOf(frame, inbox);
  return () => {
    answers[0] = 0;
    return weir_message(inbox, subjectBytes, inbox, 0, inbox, 0, payload, payloadBytes, 0, 0);
  };
}

/** The same with its charges, as the broker runs it. */
export function meteredGuest(wasm: Uint8Array, config: string, frame: Frame): Call {
  const decoded = decodeModule(wasm);
  const module = new WebAssembly.Module(rewriteModule(decoded).bytes as Uint8Array<ArrayBuffer>);
  const memory = new WebAssembly.Memory({ initial: decoded.memory.min, maximum: 256 });
  const { exports } = new WebAssembly.Instance(module, { [HOST_MEMORY.module]: { [HOST_MEMORY.name]: memory } });
  const { [HostExport.message]: message, [HostExport.refuel]: refuel } = exports as Exports;
  refuel(DEFAULT_BUDGET.fuelForInit);
  (exports as Exports)[HostExport.start]?.();
  const { inbox, control } = opened({ ...exports, memory }, config, frame);
  const fuel = DEFAULT_BUDGET.fuelPerMessage;
  const { subjectBytes, payload, payloadBytes } = placesOf(frame, inbox);
  return () => message(fuel, control, inbox, subjectBytes, inbox, 0, inbox, 0, payload, payloadBytes, 0, 0);
}

function placesOf({ subjectStart, subjectEnd, payloadStart, payloadEnd }: Frame, inbox: number) {
  return {
    subjectBytes: subjectEnd - subjectStart,
    payload: inbox + payloadStart - subjectStart,
    payloadBytes: payloadEnd - payloadStart,
  };
}

function opened(exports: WebAssembly.Exports, config: string, frame: Frame) {
  const { weir_open, weir_init } = exports as Exports;
  const memory = exports.memory as WebAssembly.Memory;
  const control = weir_open(BOX_BYTES, BOX_BYTES);
  const inbox = new Int32Array(memory.buffer)[control / 4];
  const bytes = Buffer.from(config);
  new Uint8Array(memory.buffer).set(bytes, inbox);
  if (weir_init(bytes.length) !== 0) throw new Error('the configuration was refused');
  new Uint8Array(memory.buffer).set(frame.bytes.subarray(frame.subjectStart, frame.payloadEnd), inbox);
  return { inbox, control, answers: new Int32Array(memory.buffer, control + 16, 1) };
}
