import { nowMs } from '../load/orders.js';
import type { Run, Scenario } from '../scenario.js';
import { fill, makeStream, StreamFolder, waitForMessages } from '../stream-server.js';

const MESSAGES = 10_000_000;
/** What comes after the last start, before the kill. */
const LATE_MESSAGES = 100_000;
const PAYLOAD_BYTES = 16;
const STREAM = { name: 'BENCH', subject: 'bench.stream' };
const subjects = { prefix: STREAM.subject, count: 0, suffix: '' };

/** Starts a server on a folder that has streams; ms from its spawn until the stream answers with all its messages. */
async function startOn(run: Run, folder: StreamFolder, count: number) {
  const beganMs = nowMs();
  const server = await run.start(folder.args());
  await waitForMessages(server.port, STREAM.name, count);
  return { server, elapsedMs: nowMs() - beganMs };
}

export const streamRecovery: Scenario = {
  id: 'stream-recovery',
  newestOnly: true,
  leftOut: 'always',
  runsMax: 3,
  metrics: [
    {
      ...{ id: 'stream-recovery', title: 'start with 10,000,000 × 16 B, after a clean stop', unit: 'ms' },
      ...{ better: 'lower', goals: [{ than: 'newest', ratio: 1 }] },
    },
    {
      ...{ id: 'stream-recovery-kill', title: 'start with 10,000,000 × 16 B, after kill -9', unit: 'ms' },
      ...{ better: 'lower', goals: [{ than: 'newest', ratio: 1 }] },
    },
    {
      ...{ id: 'stream-recovery-full', title: 'start with 10,000,000 × 16 B, after kill -9 while they were written' },
      ...{ unit: 'ms', better: 'lower', goals: [{ than: 'newest', ratio: 1 }] },
    },
  ],
  async run(run) {
    const folder = new StreamFolder();
    try {
      const count = run.scale(MESSAGES);
      const first = await run.start(folder.args());
      await makeStream(first.port, STREAM.name, { subjects: [STREAM.subject] });
      await fill(run, { port: first.port, subjects, payloadBytes: PAYLOAD_BYTES }, count);
      await first.stop('SIGKILL');
      const afterWriting = await startOn(run, folder, count);
      await afterWriting.server.stop('SIGTERM');
      const clean = await startOn(run, folder, count);
      const late = run.scale(LATE_MESSAGES);
      await fill(run, { port: clean.server.port, subjects, payloadBytes: PAYLOAD_BYTES }, late);
      await clean.server.stop('SIGKILL');
      const killed = await startOn(run, folder, count + late);
      await killed.server.stop('SIGKILL');
      return {
        'stream-recovery': clean.elapsedMs,
        'stream-recovery-kill': killed.elapsedMs,
        'stream-recovery-full': afterWriting.elapsedMs,
      };
    } finally {
      folder.remove();
    }
  },
};
