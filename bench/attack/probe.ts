// Clients that behave, while others attack: one that sends itself a message every 10 ms, and newcomers.
import { Connection } from '../load/connection.js';
import { nowMs } from '../load/orders.js';
import { Probe } from '../load/probe.js';
import { percentile } from '../statistics.js';

const NEWCOMER_EVERY_MS = 250;

/** How well they were served since the question before. */
export interface Served {
  messages: number;
  latencyP99Ms: number;
  latencyMaxMs: number;
  /** From connecting to the first PONG. */
  newcomerMaxMs: number;
  newcomers: number;
  turnedAway: number;
}

const [port, credentials] = [Number(process.argv[2]), JSON.parse(process.argv[3]) as object];
const probe = new Probe(port, 'attack.probe', credentials);
let newcomersMs: number[] = [];
let turnedAway = 0;

async function main(): Promise<void> {
  await probe.start((error) => {
    throw error;
  });
  setInterval(() => void newcomer(), NEWCOMER_EVERY_MS);
  process.on('message', () => process.send!(take()));
  process.on('disconnect', () => process.exit());
  process.send!('ready');
}

async function newcomer(): Promise<void> {
  const started = nowMs();
  const connection = new Connection(port, credentials);
  try {
    await connection.open('');
    newcomersMs.push(nowMs() - started);
  } catch {
    turnedAway++;
  }
  connection.close();
}

function take(): Served {
  const arrived = probe.arrived();
  // What never comes counts, too.
  const all = [...arrived, ...probe.waiting()];
  const served: Served = {
    messages: arrived.length,
    latencyP99Ms: all.length === 0 ? 0 : percentile(all, 0.99),
    latencyMaxMs: Math.max(0, ...all),
    newcomerMaxMs: Math.max(0, ...newcomersMs),
    newcomers: newcomersMs.length,
    turnedAway,
  };
  newcomersMs = [];
  turnedAway = 0;
  return served;
}

await main();
