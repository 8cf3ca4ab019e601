import { LoadProcess } from './load-process.js';
import type { BenchOptions } from './options.js';
import type { Peer } from './peers.js';
import type { Sample, Scenario } from './scenario.js';
import { ServerProcess } from './server-process.js';

/** All samples of one scenario, by the name of the server. */
export type Samples = Map<string, Sample[]>;

/** Runs scenarios: the servers take turns run by run, so that whatever else the machine does hits all alike. */
export class Measure {
  private readonly options: BenchOptions;
  private readonly sender: LoadProcess;
  private readonly receiver: LoadProcess;

  constructor(options: BenchOptions) {
    this.options = options;
    this.sender = new LoadProcess(options.pin);
    this.receiver = new LoadProcess(options.pin);
  }

  async scenario(scenario: Scenario, peers: Peer[], note: (text: string) => void): Promise<Samples> {
    const samples: Samples = new Map();
    const taking = peers.filter((peer) => scenario.only === undefined || scenario.only === peer.kind);
    for (let turn = 0; turn < this.options.runs; turn++) {
      // Whoever goes first in one turn goes last in the next.
      for (const peer of turn % 2 === 0 ? taking : [...taking].reverse()) {
        try {
          const sample = await this.once(scenario, peer);
          samples.set(peer.name, [...(samples.get(peer.name) ?? []), sample]);
          note(`${scenario.id} ${turn + 1}/${this.options.runs} ${peer.name} ${brief(sample)}`);
        } catch (error) {
          note(`${scenario.id} ${turn + 1}/${this.options.runs} ${peer.name} failed: ${(error as Error).message}`);
        }
      }
    }
    return samples;
  }

  private async once(scenario: Scenario, peer: Peer): Promise<Sample> {
    const { pin, warmMs, runMs, quick } = this.options;
    const { sender, receiver } = this;
    const servers: ServerProcess[] = [];
    const start = async (args: string[] = []) => {
      const server = await ServerProcess.start(peer, { pin, args });
      servers.push(server);
      return server;
    };
    try {
      return await scenario.run({ peer, sender, receiver, warmMs, runMs, quick, start });
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
