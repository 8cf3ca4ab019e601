import { parseArgs } from 'node:util';

export interface BenchOptions {
  /** Few and short runs, compared with the committed baseline. */
  quick: boolean;
  /** Scenario ids; empty is all. */
  only: string[];
  runs: number;
  warmMs: number;
  runMs: number;
  /** The servers on one core, the load on the others. */
  pin: boolean;
  micro: boolean;
  /** Writes RESULTS.md and baseline.json. */
  save: boolean;
  list: boolean;
  /** As little of everything as shows that it works; Weir alone, and the relay. */
  tiny: boolean;
  /** `name=path` of further servers. */
  peers: string[];
  /** Path of the Weir to measure; default this project's. */
  weir: string;
}

export const USAGE = `usage: npm run bench -- [options]
  --quick              few short runs in under two minutes, compared with bench/baseline.json; some rows are left out
  --only a,b           only these scenarios (--list shows them)
  --runs n             runs of each scenario and server (default 5)
  --seconds s          length of a run (default 1.5)
  --peer name=path     one more server: a nats-server binary, or another Weir's .mjs or .js (repeatable;
                       also from WEIR_BENCH_PEERS, separated by commas)
  --weir path          measure this Weir instead of this project's
  --pin                servers on core 0, load on the others (needs taskset)
  --micro              the micro-benchmarks alone (or beside the rows of --only)
  --save               put each row into bench/RESULTS.md and bench/baseline.json (a full run does so anyway)
  --no-build           take dist/ as it is
  --list               list the scenarios`;

/** Reads the command line. Throws an error that says what was not understood. */
export function readOptions(args: string[], env: NodeJS.ProcessEnv): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      runs: { type: 'string' },
      seconds: { type: 'string' },
      peer: { type: 'string', multiple: true, default: [] },
      weir: { type: 'string', default: 'bin/weir.mjs' },
      pin: { type: 'boolean', default: false },
      micro: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      tiny: { type: 'boolean', default: false }, // for tests: a few messages of each scenario, Weir alone
      'no-build': { type: 'boolean', default: false }, // for scripts/bench.mjs
    },
  });
  const { quick, pin, micro, save, list, tiny, weir } = values;
  const only = values.only.flatMap((text) => text.split(',')).filter((id) => id !== '');
  const peers = [...(env.WEIR_BENCH_PEERS ?? '').split(',').filter((text) => text !== ''), ...values.peer];
  const runMs = number('--seconds', values.seconds, tiny ? 0.03 : quick ? 0.4 : 1.5) * 1000;
  return {
    quick,
    only,
    runs: Math.round(number('--runs', values.runs, quick || tiny ? 1 : 5)),
    runMs,
    warmMs: tiny ? 10 : quick ? 250 : 600,
    pin,
    micro,
    save: save || (only.length === 0 && !quick && !micro && !tiny),
    list,
    tiny,
    peers,
    weir,
  };
}

function number(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!(value > 0)) throw new Error(`${name} ${JSON.stringify(text)}: expected a number above 0`);
  return value;
}
