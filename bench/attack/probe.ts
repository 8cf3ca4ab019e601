// Clients that behave, while others attack: one that sends itself a message every 10 ms, and newcomers.
import { Connection } from '../load/connection.js';
import { nowMs } from '../load/orders.js';
import { percentile } from '../statistics.js';

const SEND_EVERY_MS = 10;
const NEWCOMER_EVERY_MS = 250;
const DIGITS = 15;
const SUBJECT = 'attack.probe';

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
let latenciesMs: number[] = [];
let newcomersMs: number[] = [];
let turnedAway = 0;
/** When the message that has not come yet was sent: what is never answered counts, too. */
const underWay = new Set<number>();

async function main(): Promise<void> {
  const connection = new Connection(port, credentials);
  await connection.open(`SUB ${SUBJECT} 1\r\n`);
  connection.onFailure = (error) => {
    throw error;
  };
  connection.onBytes = (bytes, length) => {
    const text = bytes.toString('latin1', 0, length);
    for (const [, sent] of text.matchAll(/\n(\d{15})\r/g)) {
      underWay.delete(Number(sent));
      latenciesMs.push(nowMs() - Number(sent) / 1e3);
    }
    if (text.includes('PING\r\n')) connection.socket.write('PONG\r\n');
  };
  setInterval(() => {
    const now = Math.round(nowMs() * 1e3);
    underWay.add(now);
    connection.socket.write(`PUB ${SUBJECT} ${DIGITS}\r\n${String(now).padStart(DIGITS, '0')}\r\n`);
  }, SEND_EVERY_MS);
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
  const waiting = [...underWay].map((sent) => nowMs() - sent / 1e3);
  const all = [...latenciesMs, ...waiting];
  const served: Served = {
    messages: latenciesMs.length,
    latencyP99Ms: all.length === 0 ? 0 : percentile(all, 0.99),
    latencyMaxMs: Math.max(0, ...all),
    newcomerMaxMs: Math.max(0, ...newcomersMs),
    newcomers: newcomersMs.length,
    turnedAway,
  };
  latenciesMs = [];
  newcomersMs = [];
  turnedAway = 0;
  return served;
}

await main();
