import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { absent, findPeer } from '../kit/peers.js';
import { type RunningServer, startProgram, startWeir } from '../kit/servers.js';
import { type Cuts, replay } from './replay.js';
import { parseTranscript, type Scenario } from './transcript.js';

const folder = join(import.meta.dirname, 'transcripts');
const natsServer = findPeer('nats-server');

/** The same for a given seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

async function replayInEveryWay(scenario: Scenario, server: RunningServer): Promise<void> {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const ways: [string, Cuts][] = [['in one piece', 'whole']];
  if (scenario.wholeOn !== 'all' && scenario.wholeOn !== server.name)
    ways.push(['byte by byte', 'bytes'], [`cut at random, seed ${seed}`, { random: randomOf(seed) }]);
  for (const [name, cuts] of ways) {
    try {
      await replay(scenario, server, cuts);
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`);
    }
  }
}

// Every transcript is replayed against Weir and, where it is there, against nats-server: that one proves that it tells the truth.
for (const file of readdirSync(folder).sort()) {
  const { config, scenarios } = parseTranscript(readFileSync(join(folder, file), 'utf8'));
  describe(file, () => {
    describe('weir', () => {
      replayAll('weir', scenarios, () => startWeir(config));
    });
    describe.skipIf(natsServer === null)(natsServer === null ? absent('nats-server') : 'nats-server', () => {
      replayAll('nats-server', scenarios, () => startProgram(natsServer!, config));
    });
  });
}

function replayAll(name: string, scenarios: Scenario[], start: () => Promise<RunningServer>): void {
  let server: RunningServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());
  for (const scenario of scenarios) {
    if (scenario.only === null || scenario.only === name) {
      it(scenario.name, () => replayInEveryWay(scenario, server));
    }
  }
}
