// A worker thread of the worker tier: plugins that may take long, or never end, run here and not on the event loop.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Crew } from './crew.js';
import type { ThreadMemory } from './protocol.js';

const { memory, port } = workerData as { memory: ThreadMemory; port: MessagePort };
new Crew(memory, port, () => parentPort!.postMessage(0)).run();
