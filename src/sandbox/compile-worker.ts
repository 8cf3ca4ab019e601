// A worker thread that prepares modules and starts guests: what takes long, or blows up, does so here and not on the event loop.
import { setFlagsFromString } from 'node:v8';
import { parentPort } from 'node:worker_threads';
import { describe, Failure } from '../base/failure.js';
import { DEFAULT_BUDGET } from './budget.js';
import type { CompileAnswer, CompileRequest } from './compiler.js';
import { frameOf } from './frame.js';
import { Instance } from './instance.js';
import { type PreparedModule, prepareModule } from './prepare.js';
import { runSelfTests } from './self-test.js';
import { startGuest } from './start.js';

const WARM_UP_CALLS = 64;
const NO_BYTES = new Uint8Array(0);

// All of a module's functions are compiled here and now. By default each is when it is first called, on the event loop: 30 ms for a message that
// makes a plugin call everything it has.
setFlagsFromString('--no-wasm-lazy-compilation');
// On one thread beside this one: on a small machine the others would take the event loop's processor.
setFlagsFromString('--wasm-num-compilation-tasks=1');

/** Calls the module until its code is compiled: the compiled code is shared with the module that is posted back. */
function warmUp(prepared: PreparedModule): void {
  const instance = Instance.create(prepared, DEFAULT_BUDGET, '{}');
  if (!(instance instanceof Instance)) return;
  const frame = frameOf(Buffer.from('warm.up'), NO_BYTES, NO_BYTES, Buffer.from('{"value":1}'));
  for (let i = 0; i < WARM_UP_CALLS && !instance.poisoned; i++) instance.call(frame, { wallMs: 0 });
}

function answerTo(request: CompileRequest): CompileAnswer {
  const { id } = request;
  try {
    if ('tests' in request) return { id, difference: runSelfTests(request.prepared, request.budget, request.tests) };
    if ('budget' in request) return { id, started: startGuest(request.prepared, request.budget, request.config) };
    const prepared = prepareModule(request.wasm);
    warmUp(prepared);
    return { id, prepared };
  } catch (error) {
    return { id, code: error instanceof Failure ? error.code : 'module-invalid', text: describe(error) };
  }
}

parentPort?.on('message', (request: CompileRequest) => parentPort?.postMessage(answerTo(request)));
