// The load of a soak, a process of its own: arguments are the port and the messages published in a second.
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../load/connection.js';
import { Records } from '../load/requests.js';
import { digits, type Plan, SteadyFlow } from './flows.js';

/** What the load says when it is asked. */
export interface LoadReport {
  published: number;
  connectionsOpened: number;
  slowCutOff: number;
  failures: string[];
  /** Messages that did not arrive, by flow; only at the end. */
  missing?: Record<string, number>;
}

const [port, perSecond] = process.argv.slice(2).map(Number);
const VISITORS_PER_SECOND = 20;
const VISIT_MS_MAX = 3_000;
const SLOW_EVERY_MS = 20_000;
const SETTLE_MS = 2_000;
const report: LoadReport = { published: 0, connectionsOpened: 0, slowCutOff: 0, failures: [] };

const payload = (bytes: number) => 'x'.repeat(bytes);
const delivered = (subject: string, bytes: number) => `MSG ${subject} 1 ${bytes}\r\n`.length + bytes + 2;
const reading = (value: string) => `{"value":${value},"pad":"${payload(100)}"}`;

function plain(name: string, share: number, subscribers: number, bytes: number): Plan {
  const subject = `soak.${name}`;
  const line = `PUB ${subject} ${bytes}\r\n${payload(bytes)}\r\n`;
  return {
    ...{ name, perSecond: perSecond * share, subscribers, subscribe: subject },
    ...{ next: () => line, deliveredBytes: delivered(subject, bytes), passing: 1 },
  };
}

const PLANS: Plan[] = [
  plain('pair', 0.3, 1, 128),
  plain('fan', 0.1, 10, 256),
  plain('large', 0.005, 1, 16_384),
  {
    ...plain('distinct', 0.25, 1, 64),
    subscribe: 'soak.distinct.*',
    next: (number) => `PUB soak.distinct.${digits(number)} 64\r\n${payload(64)}\r\n`,
    deliveredBytes: delivered(`soak.distinct.${digits(0)}`, 64),
  },
  {
    ...plain('filtered', 0.25, 1, reading('75').length),
    next(number) {
      const text = reading(number % 2 === 0 ? '25' : '75');
      return `PUB soak.filtered ${text.length}\r\n${text}\r\n`;
    },
    passing: 0.5,
  },
];

/** Requests that a responder of their own answers; each has a reply subject of its own. */
function requests(service: Connection): Plan {
  const name = 'requests';
  const start = 'MSG soak.requests 1 '.length;
  const reply = `_INBOX.soak.${digits(0)}`;
  const line = start + reply.length + ' 16\r\n'.length + 16 + 2;
  let answers: string[] = [];
  const records = new Records(line, (record, at) => {
    const inbox = record.toString('latin1', at + start, at + start + reply.length);
    answers.push(`PUB ${inbox} 16\r\n${payload(16)}\r\n`);
  });
  service.onBytes = (bytes, length) => {
    records.feed(bytes, length);
    service.socket.write(answers.join(''));
    answers = [];
  };
  return {
    ...{ name, perSecond: perSecond * 0.095, subscribers: 1, subscribe: '_INBOX.soak.*', passing: 1 },
    next: (number) => `PUB soak.requests _INBOX.soak.${digits(number)} 16\r\n${payload(16)}\r\n`,
    deliveredBytes: delivered(reply, 16),
  };
}

/** Comes, subscribes, publishes a little, and goes: some politely, some not. */
async function visit(): Promise<void> {
  const connection = new Connection(port);
  const own = `soak.visitor.${digits(report.connectionsOpened++)}`;
  await connection.open(`SUB ${own} 1\r\nSUB ${own}.* 2\r\nPUB ${own} 4\r\nhere\r\n`);
  await sleep(Math.random() * VISIT_MS_MAX);
  connection.onFailure = () => {};
  if (Math.random() < 0.5) connection.socket.end();
  else connection.close();
}

/** Subscribes to much and reads nothing, until the server has had enough. */
async function beSlow(): Promise<void> {
  const connection = new Connection(port);
  await connection.open('SUB soak.fan 1\r\nSUB soak.pair 2\r\n');
  connection.onFailure = () => {
    report.slowCutOff++;
  };
  connection.socket.pause();
  // What a paused socket does not see is found by writing.
  const timer = setInterval(() => connection.socket.write('PING\r\n'), 1_000);
  connection.socket.once('close', () => clearInterval(timer));
}

const note = (error: Error) => void report.failures.push(error.message);

async function main(): Promise<void> {
  const service = new Connection(port);
  await service.open('SUB soak.requests 1\r\n');
  const flows = [...PLANS, requests(service)].map((plan) => new SteadyFlow(plan, port));
  for (const flow of flows) await flow.start(note);
  const timers = [
    setInterval(() => void visit().catch(note), 1000 / VISITORS_PER_SECOND),
    setInterval(() => void beSlow().catch(note), SLOW_EVERY_MS),
  ];
  process.on('message', async (order: 'report' | 'end') => {
    report.published = flows.reduce((sum, { sent }) => sum + sent, 0);
    if (order === 'end') {
      for (const timer of timers) clearInterval(timer);
      await Promise.all(flows.map((flow) => flow.stop()));
      await sleep(SETTLE_MS);
      report.missing = Object.fromEntries(flows.map((flow) => [flow.plan.name, flow.missing]));
    }
    process.send!(report);
  });
  process.send!('started');
}

process.on('disconnect', () => process.exit(0));
void main();
