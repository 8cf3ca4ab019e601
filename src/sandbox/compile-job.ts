import { describe, Failure } from '../base/failure.js';
import { type Budget, DEFAULT_BUDGET } from './budget.js';
import { frameOf } from './frame.js';
import { Instance } from './instance.js';
import { type PreparedModule, prepareModule } from './prepare.js';
import { runSelfTests, type SelfTest } from './self-test.js';
import { type Started, type StartSettings, startGuest } from './start.js';

/** What can be asked for: to prepare a module, to start a guest, to run a plugin's own tests. */
export type CompileWork =
  | { wasm: Uint8Array; metered: boolean }
  | ({ prepared: PreparedModule } & StartSettings)
  | { prepared: PreparedModule; budget: Budget; tests: readonly SelfTest[] };
export type CompileRequest = CompileWork & { id: number };

export type CompileResult = { prepared: PreparedModule } | { started: Started } | { difference: string | null };
export type CompileAnswer = (CompileResult | { code: string; text: string }) & { id: number };

const WARM_UP_CALLS = 64;
const NO_BYTES = new Uint8Array(0);

/** Calls the module until its code is compiled: the compiled code is shared with the module that is posted back. */
function warmUp(prepared: PreparedModule): void {
  const instance = Instance.create(prepared, DEFAULT_BUDGET, '{}');
  if (!(instance instanceof Instance)) return;
  const frame = frameOf(Buffer.from('warm.up'), NO_BYTES, NO_BYTES, Buffer.from('{"value":1}'));
  for (let i = 0; i < WARM_UP_CALLS && !instance.poisoned; i++) instance.call(frame, { wallMs: 0 });
}

/** Prepares a module or starts a guest; what is wrong with it is an answer too. */
export function answerTo(request: CompileRequest): CompileAnswer {
  const { id } = request;
  try {
    if ('tests' in request) return { id, difference: runSelfTests(request.prepared, request.budget, request.tests) };
    if ('config' in request) return { id, started: startGuest(request.prepared, request) };
    const prepared = prepareModule(request.wasm, request.metered);
    // Without charges it may never come back.
    if (request.metered) warmUp(prepared);
    return { id, prepared };
  } catch (error) {
    return { id, code: error instanceof Failure ? error.code : 'module-invalid', text: describe(error) };
  }
}
