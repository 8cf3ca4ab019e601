import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ERRORS } from '../../src/host/error-table.js';
import { Server } from '../../src/server/server.js';

const root = join(import.meta.dirname, '..', '..');
const document = readFileSync(join(root, 'docs', 'plugin-api.md'), 'utf8');

/** A message that the document sends, and the answer that it shows; null for a message that has none. */
interface Step {
  line: number;
  subject: string;
  headers: [name: string, value: string][];
  body: string;
  answer: string | null;
}

/** `> subject (Name: value) payload`, then `< answer` up to the next message. */
function stepsOf(text: string): Step[] {
  const steps: Step[] = [];
  for (const block of text.matchAll(/^```text\n(> .*?)^```$/gms)) {
    const first = text.slice(0, block.index).split('\n').length + 1;
    for (const { 0: whole, index } of block[1].matchAll(/^> .*\n(?:[^>].*\n)*/gm)) {
      const [request, ...answer] = whole.trimEnd().split('\n');
      const {
        subject,
        header,
        body = '',
      } = /^> (?<subject>\S+)(?: \((?<header>[^)]*)\))?(?: (?<body>.*))?$/.exec(request)!.groups!;
      steps.push({
        line: first + block[1].slice(0, index).split('\n').length - 1,
        subject,
        headers: header === undefined ? [] : [header.split(': ') as [string, string]],
        body,
        answer: answer.length === 0 ? null : answer.join('\n').slice(2),
      });
    }
  }
  return steps;
}

/** What differs from run to run, or when a bundled plugin changes. */
const VARYING = new Set(
  'sha256 bytes received installed upload time timestamp_ms fuel fuel_per_call ns_per_call timed_ns p50 p99 max memory_bytes cpu_seconds state'.split(
    ' ',
  ),
);

/** A key that stands for others. */
const MORE = '…';

/** The same keys everywhere, and the same values but for those that vary. */
function compare(shown: unknown, found: unknown, place: string): void {
  if (typeof shown !== 'object' || shown === null || typeof found !== 'object' || found === null) {
    const key = place.slice(place.lastIndexOf('.') + 1);
    if (VARYING.has(key)) expect(typeof found, place).toBe(typeof shown);
    else expect(found, place).toEqual(shown);
    return;
  }
  const keys = Object.keys(shown).filter((key) => key !== MORE);
  if (keys.length < Object.keys(shown).length) expect(Object.keys(found), place).toEqual(expect.arrayContaining(keys));
  else expect(Object.keys(found).sort(), place).toEqual(keys.sort());
  const [one, other] = [shown, found] as Record<string, unknown>[];
  for (const key of keys) compare(one[key], other[key], `${place}.${key}`);
}

const moduleOf = (name: string) => readFileSync(join(root, 'dist', 'plugins', name));

/** `@file.wasm`, of the bundled plugins, or a piece of it; other bodies are what they are. */
function payloadOf(step: Step): Uint8Array | string {
  const file = /^@([\w.]+)(?:\[(\d+):(\d*)\])?$/.exec(step.body);
  if (file !== null) return moduleOf(file[1]).subarray(Number(file[2] ?? 0), Number(file[3] || 1e9));
  const upload = /\.PLUGIN\.UPLOAD\.(\w+)$/.exec(step.subject);
  if (upload === null) return step.body;
  const wasm = moduleOf(`${upload[1]}.wasm`);
  return JSON.stringify({ bytes: wasm.length, sha256: createHash('sha256').update(wasm).digest('hex') });
}

describe('the document of the control API', () => {
  let server: Server;
  let client: NatsConnection;
  /** Ids of uploads, as the document shows them and as they are. */
  const uploads = new Map<string, string>();
  beforeAll(async () => {
    server = new Server();
    await server.start();
    client = await connect({ servers: server.clientUrl });
  });
  afterAll(async () => {
    await client.close();
    await server.stop();
  });

  async function send(step: Step): Promise<Record<string, unknown> | null> {
    const subject = step.subject.replace(/[0-9a-f]{32}$/, (id) => uploads.get(id) ?? id);
    const block = headers();
    for (const [name, value] of step.headers) block.set(name, value);
    const options = step.headers.length === 0 ? {} : { headers: block };
    if (step.answer !== null) {
      const answer = await client.request(subject, payloadOf(step), { timeout: 20_000, ...options });
      return answer.json();
    }
    client.publish(subject, payloadOf(step), options);
    await client.flush();
    return null;
  }

  const steps = stepsOf(document);
  test('shows requests', () => expect(steps.length).toBeGreaterThan(15));

  // One after the other: each goes on where the one before left off.
  test.each(steps)('line $line: $subject', { timeout: 30_000 }, async (step) => {
    const found = await send(step);
    if (step.answer === null) return;
    const shown = JSON.parse(step.answer);
    if (shown.upload !== undefined) uploads.set(shown.upload, found!.upload as string);
    compare(shown, found, '');
  });

  test('lists every request, and shows it or one of its kind', async () => {
    const answer = await client.request('$WEIR.API.NOTHING', '', { timeout: 20_000 });
    const { error } = answer.json<{ error: { description: string } }>();
    const known = error.description.replace(/^.*; there are /, '').split(', ');
    const rows = [...document.matchAll(/^\| `(\$WEIR\.API\.\S+)` /gm)].map(([, subject]) => subject);
    expect(rows.sort()).toEqual(known.sort());
  });

  test('names every event', () => {
    const code = readFileSync(join(root, 'src', 'host', 'events.ts'), 'utf8');
    const kinds = /^export type EventKind =\n((?: {2}\| '[\w-]+';?\n)+)/m.exec(code)![1].match(/[\w-]{2,}/g)!;
    const [, shown] = /^Events are ([^.]*)\./m.exec(document)!;
    for (const kind of kinds) expect(shown).toContain(`\`${kind}\``);
  });

  test('has the errors of the table in the code', () => {
    const rows = [...document.matchAll(/^\| (\d{5}) +\| (\d{3}) /gm)].map(([, number, code]) => [+number, +code]);
    expect(rows).toEqual(Object.values(ERRORS).map(({ number, code }) => [number, code]));
  });
});
