// Loaded into the server of a soak before anything else: says, whenever it is asked, how the process feels from inside.
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Since the question before. */
export interface Inside {
  loopP99Ms: number;
  loopP999Ms: number;
  loopMaxMs: number;
  pauseMaxMs: number;
  /** Milliseconds of collections in all. */
  pausesMs: number;
  heapBytes: number;
  externalBytes: number;
}

const RESOLUTION_MS = 1;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
let pauseMaxMs = 0;
let pausesMs = 0;
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    pauseMaxMs = Math.max(pauseMaxMs, duration);
    pausesMs += duration;
  }
}).observe({ entryTypes: ['gc'] });

/** What is reachable is what counts: garbage goes first. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  gc();
  gc();
}

process.on('message', (question) => {
  if (question === 'collect') collect();
  const { heapUsed, external } = process.memoryUsage();
  // The histogram holds the timer's own interval as well.
  const late = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  const inside: Inside = {
    loopP99Ms: late(delay.percentile(99)),
    loopP999Ms: late(delay.percentile(99.9)),
    loopMaxMs: late(delay.max),
    ...{ pauseMaxMs, pausesMs, heapBytes: heapUsed, externalBytes: external },
  };
  process.send!(inside);
  delay.reset();
  pauseMaxMs = 0;
  pausesMs = 0;
});
// A parent that is there is no reason to stay.
process.channel?.unref();
