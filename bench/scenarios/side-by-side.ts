import { type Flow, runFlow } from '../flow.js';
import type { Run } from '../scenario.js';
import type { ServerProcess } from '../server-process.js';
import { median } from '../statistics.js';

/** How often both servers of a comparison have their turn in one run. */
const TURNS = 4;

/** Two things to compare: with what is measured, and without. */
interface Both<T> {
  with: T;
  without: T;
}

/**
 * Throughput with something as a percentage of that without: two servers at the same time, of which one is idle while the other has its
 * turn. What is asked for is a few percent, and the machine changes by more than that within seconds.
 */
export async function shareOf(run: Run, args: Both<string[]>, flows: Both<Flow>): Promise<number> {
  const plain = await run.start(args.without);
  const other = await run.start(args.with);
  const shares: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const before = turn % 2 === 0 ? await flowOn(run, plain, flows.without) : 0;
    const withIt = await flowOn(run, other, flows.with);
    const without = turn % 2 === 0 ? before : await flowOn(run, plain, flows.without);
    shares.push((withIt / without) * 100);
  }
  await Promise.all([plain.stop(), other.stop()]);
  return median(shares);
}

/** Throughput of a server that has other runs before and after this one. */
async function flowOn(run: Run, server: ServerProcess, flow: Flow): Promise<number> {
  const result = await runFlow({ ...run, warmMs: run.warmMs / 2, runMs: run.runMs / 2 }, server, flow);
  await Promise.all([run.sender.reset(), run.receiver.reset()]);
  return result.publishedPerSecond;
}
