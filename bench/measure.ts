import { LoadProcess } from './load-process.js';
import type { BenchOptions } from './options.js';
import { newestNatsServer, type Peer } from './peers.js';
import { type Run, type Sample, type Scenario, takesPart } from './scenario.js';
import { ServerProcess } from './server-process.js';

/** All samples of one scenario, by the name of the server. */
export type Samples = Map<string, Sample[]>;

const TINY_COUNT = 20;

/** Runs scenarios: the servers take turns run by run, so that whatever else the machine does hits all alike. */
export class Measure {
  private readonly options: BenchOptions;
  private readonly peers: Peer[];
  private readonly note: (text: string) => void;
  private readonly sender: LoadProcess;
  private readonly receiver: LoadProcess;

  constructor(options: BenchOptions, peers: Peer[], note: (text: string) => void) {
    this.options = options;
    this.peers = peers;
    this.note = note;
    this.sender = new LoadProcess(options.pin);
    this.receiver = new LoadProcess(options.pin);
  }

  async scenario(scenario: Scenario): Promise<Samples> {
    const { quick, tiny } = this.options;
    const { runsFactor = 1, runsMax = Number.POSITIVE_INFINITY } = scenario;
    const runs = Math.min(runsMax, this.options.runs * (quick || tiny ? 1 : runsFactor));
    const samples: Samples = new Map();
    const shared = new Map<string, number>();
    const newest = newestNatsServer(this.peers);
    const taking = this.peers.filter((peer) => takesPart(scenario, peer, peer === newest));
    for (let turn = 0; turn < runs; turn++) {
      // Whoever goes first in one turn goes last in the next.
      for (const peer of turn % 2 === 0 ? taking : [...taking].reverse()) {
        const label = `${scenario.id} ${turn + 1}/${runs} ${peer.name}`;
        try {
          const sample = await this.once(scenario, { peer, shared });
          samples.set(peer.name, [...(samples.get(peer.name) ?? []), sample]);
          this.note(`${label} ${brief(sample)}`);
        } catch (error) {
          this.note(`${label} failed: ${(error as Error).message}`);
        }
      }
    }
    return samples;
  }

  private async once(scenario: Scenario, turn: Pick<Run, 'peer' | 'shared'>): Promise<Sample> {
    const { sender, receiver } = this;
    const { pin, warmMs, runMs, tiny } = this.options;
    const scale = (count: number) => (tiny ? Math.min(count, TINY_COUNT) : count);
    const servers: ServerProcess[] = [];
    const start: Run['start'] = async (args = [], { peer = turn.peer, inside = false } = {}) => {
      const server = await ServerProcess.start(peer, { pin, args, inside });
      servers.push(server);
      return server;
    };
    try {
      const rival = newestNatsServer(this.peers) ?? turn.peer;
      return await scenario.run({ ...turn, rival, sender, receiver, warmMs, runMs, scale, start });
    } finally {
      await Promise.all([sender.reset(), receiver.reset()]);
      await Promise.all(servers.map((server) => server.stop()));
    }
  }

  stop(): void {
    this.sender.stop();
    this.receiver.stop();
  }
}

function brief(sample: Sample): string {
  return Object.entries(sample)
    .map(([name, value]) => `${name}=${value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)}`)
    .join(' ');
}
