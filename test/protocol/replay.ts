import { RawClient } from '../kit/raw-client.js';
import type { RunningServer } from '../kit/servers.js';
import { sleep } from '../kit/wait.js';
import type { Scenario, Step } from './transcript.js';

/** How what is sent is cut into writes. */
export type Cuts = 'whole' | 'bytes' | { random: () => number };

/** More than this is not sent byte by byte but in some hundred pieces. */
const SINGLE_BYTES_MAX = 1500;

/** A server that closes while a client still sends resets the connection, and what it said last may be lost: then once more. */
const ATTEMPTS = 10;

/** Replays a scenario against a server. Throws an error that names the transcript's line. */
export async function replay(scenario: Scenario, server: RunningServer, cuts: Cuts): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const clients = new Map<string, RawClient>();
    try {
      await replayOnce(scenario, { clients, server, cuts });
      return;
    } catch (error) {
      const wasReset = [...clients.values()].some((client) => client.wasReset);
      if (!wasReset || cuts === 'whole' || attempt >= ATTEMPTS) throw error;
    } finally {
      await Promise.all([...clients.values()].map((client) => client.close()));
    }
  }
}

async function replayOnce(scenario: Scenario, stage: Stage): Promise<void> {
  for (const step of scenario.steps) {
    try {
      await take(step, stage);
    } catch (error) {
      throw new Error(`line ${step.at}: ${(error as Error).message}`);
    }
  }
  for (const [name, client] of stage.clients) {
    if (client.unread.length > 0) throw new Error(`at the end ${name} has ${JSON.stringify(String(client.unread))}`);
  }
}

interface Stage {
  clients: Map<string, RawClient>;
  server: RunningServer;
  cuts: Cuts;
}

async function take(step: Step, stage: Stage): Promise<void> {
  if (step.kind === 'wait') return sleep(step.ms);
  if (step.kind === 'lameDuck') return stage.server.lameDuck();
  let client = stage.clients.get(step.connection);
  if (client === undefined) {
    client = await RawClient.open(stage.server.address);
    stage.clients.set(step.connection, client);
    if (step.kind !== 'info') readInfo(await client.line());
  }
  switch (step.kind) {
    case 'send':
      return send(client, step.bytes, stage.cuts);
    case 'bytes':
      return client.expect(step.text);
    case 'pattern': {
      const line = await client.line();
      if (!step.pattern.test(line)) throw new Error(`expected ${step.pattern}, got ${JSON.stringify(line)}`);
      return;
    }
    case 'unordered':
      return expectUnordered(client, step.lines);
    case 'info':
      return expectInfo(await client.line(), step.fields);
    case 'closed':
      return client.expectClosed();
    case 'close':
      return client.close();
  }
}

async function send(client: RawClient, bytes: Buffer, cuts: Cuts): Promise<void> {
  for (const piece of pieces(bytes, cuts)) {
    if (client.closed) return;
    await client.sendAndFlush(piece);
    // Give the server its turn, so that it reads this piece by itself.
    if (cuts !== 'whole') for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
  }
}

function pieces(bytes: Buffer, cuts: Cuts): Buffer[] {
  if (cuts === 'whole') return [bytes];
  const single = cuts === 'bytes';
  const most = single ? Math.max(1, Math.ceil(bytes.length / SINGLE_BYTES_MAX)) : Math.max(2, bytes.length / 8);
  const result: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = single ? most : 1 + Math.floor(cuts.random() * most);
    result.push(bytes.subarray(at, at + length));
    at += length;
  }
  return result;
}

async function expectUnordered(client: RawClient, lines: string[]): Promise<void> {
  const left = lines.map((line) => `${line}\r\n`);
  while (left.length > 0) {
    const line = `${await client.line()}\r\n`;
    const found = left.findIndex((text) => text.startsWith(line));
    if (found < 0) throw new Error(`expected one of ${JSON.stringify(left)}, got ${JSON.stringify(line)}`);
    const [text] = left.splice(found, 1);
    await client.expect(text.slice(line.length));
  }
}

function readInfo(line: string): Record<string, unknown> {
  if (!line.startsWith('INFO {')) throw new Error(`expected INFO, got ${JSON.stringify(line)}`);
  return JSON.parse(line.slice(5));
}

function expectInfo(line: string, fields: Record<string, unknown>): void {
  const info = readInfo(line);
  for (const [key, expected] of Object.entries(fields)) {
    const found = info[key] ?? null;
    const type = /^<(\w+)>$/.exec(String(expected))?.[1];
    const fits = type === undefined ? JSON.stringify(found) === JSON.stringify(expected) : typeof found === type;
    if (!fits) {
      throw new Error(`expected INFO with ${key} ${JSON.stringify(expected)}, got ${JSON.stringify(found)} in ${line}`);
    }
  }
}
