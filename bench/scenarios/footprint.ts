import { setTimeout as sleep } from 'node:timers/promises';
import { openFilesMax } from '../process-usage.js';
import type { Scenario } from '../scenario.js';

/** Descriptors that a server or load process needs beside its connections. */
const OTHER_FILES = 200;
const CONNECTIONS = Math.min(10_000, openFilesMax() - OTHER_FILES);
/** After this long without work a server has given back what it gives back. */
const SETTLE_MS = 1_500;

export const footprint: Scenario[] = [
  {
    id: 'conn-memory',
    metrics: [
      { id: 'idle-rss', title: 'memory after start', unit: 'MB', better: 'lower', limit: 64 },
      {
        id: 'conn-memory',
        title: `memory per idle connection (${CONNECTIONS.toLocaleString('en')})`,
        unit: 'KB',
        better: 'lower',
        goals: [
          { than: '2.9', ratio: 0.4 },
          { than: 'newest', ratio: 0.4 },
        ],
      },
    ],
    async run(run) {
      const server = await run.start();
      const connections = run.scale(CONNECTIONS);
      await sleep(run.scale(SETTLE_MS));
      const before = server.residentBytes;
      await run.receiver.ask('idle', 'open', server.port, connections);
      await sleep(run.scale(SETTLE_MS));
      const perConnection = (server.residentBytes - before) / connections;
      return { 'idle-rss': before / 1e6, 'conn-memory': perConnection / 1000 };
    },
  },
  {
    id: 'ready',
    metrics: [{ id: 'ready', title: 'time to ready', unit: 'ms', better: 'lower', limit: 250 }],
    async run(run) {
      const server = await run.start();
      return { ready: server.readyMs };
    },
  },
];
