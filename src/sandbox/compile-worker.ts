// A worker thread that prepares modules and starts guests: what takes long, or blows up, does so here and not on the event loop.
import { setFlagsFromString } from 'node:v8';
import { parentPort } from 'node:worker_threads';
import { answerTo, type CompileRequest } from './compile-job.js';

// All of a module's functions are compiled here and now. By default each is when it is first called, on the event loop: 30 ms for a message that
// makes a plugin call everything it has.
setFlagsFromString('--no-wasm-lazy-compilation');
// On one thread beside this one: on a small machine the others would take the event loop's processor.
setFlagsFromString('--wasm-num-compilation-tasks=1');

parentPort?.on('message', (request: CompileRequest) => parentPort?.postMessage(answerTo(request)));
