import { setTimeout as sleep } from 'node:timers/promises';
import { Server } from '../../server/server.js';
import { openConnection } from '../connection.js';
import { Feed } from './feed.js';
import { freePort } from './free-port.js';
import { attachSteps } from './steps.js';
import { Terminal } from './terminal.js';
import { View } from './view.js';
import { readWeather, type WeatherReading } from './weather-feed.js';
import type { Burst } from './work.js';

export interface DemoOptions {
  /** End after so many messages of the feed; without it the demo stays up until it is interrupted. */
  messages?: number;
}

const host = '127.0.0.1';
const clientPort = 4222;
const monitoringPort = 8222;

/** Readings that are shown one by one, and how fast. */
const shownReadings = 16;
const shownPauseMs = 200;
/** How often the whole series goes through at full speed. */
const burstRounds = 40;
const slowPauseMs = 1_000;

/** Aborted by Ctrl-C and TERM. A further signal changes nothing: the demo is about to end. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort();
  process.on('SIGINT', abort);
  process.on('SIGTERM', abort);
  return controller.signal;
}

async function startBroker(view: View): Promise<Server> {
  const port = await freePort(host, clientPort);
  const monitoring = await freePort(host, monitoringPort);
  const server = new Server({ options: { host, port, monitoring: { host, port: monitoring, basePath: '' } } });
  await server.start();
  view.started(server.urls, { clientPort, monitoringPort });
  return server;
}

/** Resolves early when interrupted. */
async function pause(ms: number, interrupted: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: interrupted }).catch(() => undefined);
}

async function showOneByOne(feed: Feed, view: View, count: number, interrupted: AbortSignal): Promise<void> {
  for (let shown = 0; shown < count && !interrupted.aborted; shown++) {
    view.outcome(await feed.one());
    await pause(shownPauseMs, interrupted);
  }
}

async function replay(feed: Feed, view: View, count: number): Promise<void> {
  const before = await feed.attachments();
  const deliveredBefore = feed.delivered;
  const ms = await feed.burst(count);
  const burst: Burst = {
    count,
    ms,
    delivered: feed.delivered - deliveredBefore,
    before,
    after: await feed.attachments(),
  };
  view.burst(burst);
}

async function feedSlowly(feed: Feed, view: View, interrupted: AbortSignal): Promise<void> {
  while (!interrupted.aborted) {
    view.status(feed);
    await pause(slowPauseMs, interrupted);
    if (!interrupted.aborted) await feed.one();
  }
}

interface Show {
  readings: readonly WeatherReading[];
  options: DemoOptions;
  interrupted: AbortSignal;
}

async function show(server: Server, view: View, { readings, options, interrupted }: Show): Promise<void> {
  const [publisher, subscriber] = await Promise.all([
    openConnection({ server: server.clientUrl }),
    openConnection({ server: server.clientUrl }),
  ]);
  try {
    await attachSteps(publisher);
    view.attached();
    const feed = new Feed(publisher, subscriber, readings);
    await feed.watch((subject, payload) => view.byHand(subject, payload));
    const total = options.messages ?? shownReadings + burstRounds * readings.length;
    await showOneByOne(feed, view, Math.min(total, shownReadings), interrupted);
    if (!interrupted.aborted && total > feed.published) await replay(feed, view, total - feed.published);
    if (options.messages !== undefined || interrupted.aborted) return;
    view.instructions(server.urls);
    await feedSlowly(feed, view, interrupted);
  } finally {
    await Promise.all([publisher.close(), subscriber.close()]);
  }
}

/** A broker in this process, real measurements, four plugins at work on them, and how to go on from there. */
export async function demo(options: DemoOptions): Promise<void> {
  const readings = readWeather();
  const interrupted = interruption();
  const view = new View(new Terminal(process.stdout));
  const server = await startBroker(view);
  try {
    await show(server, view, { readings, options, interrupted });
  } finally {
    await server.stop();
  }
  view.ended();
}
