// The same requests to Weir and to nats-server: the answers are the same but for times, versions and names of servers.
//
// A line of requests/*.txt is a subject, headers as `{h:Name=value;Name=value}` if there are any, and a payload. `SLEEP ms` waits.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { absent, findPeer } from '../kit/peers.js';
import { type RunningServer, startProgram, startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { sleep } from '../kit/wait.js';

const natsServer = findPeer('nats-server');
const folder = join(import.meta.dirname, 'requests');
const TIMES = /"(created|ts|first_ts|last_ts|time|last_active|pinned_ts)":"(?!0001-)[^"]*"/g;

/** An answer without what differs from server to server. */
function comparable(message: Msg): unknown {
  const text = message
    .string()
    .replaceAll(TIMES, '"$1":"…"')
    .replaceAll(/"(_nats\.ver|_nats\.level|leader)":"[^"]*"/g, '"$1":"…"')
    .replaceAll(/"(pause_remaining|level)":\d+/g, '"$1":0');
  const shown = message.headers === undefined ? [] : [message.headers.code, message.headers.description];
  for (const [name, values] of message.headers ?? [])
    if (!/Time-Stamp|Schedule-Next/.test(name)) shown.push(`${name}: ${values}`);
  try {
    return [...shown, JSON.parse(text)];
  } catch {
    return [...shown, text];
  }
}

async function answerTo(connection: NatsConnection, line: string): Promise<unknown> {
  const [, subject, list = '', payload] = /^(\S+)\s*(?:\{h:(.*?)\})?\s*(.*)$/.exec(line)!;
  const all = headers();
  for (const part of list.split(';').filter((text) => text !== '')) {
    const at = part.indexOf('=');
    all.append(part.slice(0, at), part.slice(at + 1));
  }
  try {
    const options = list === '' ? {} : { headers: all };
    return comparable(await connection.request(subject, payload, { timeout: 10_000, ...options }));
  } catch (error) {
    return (error as Error).message;
  }
}

describe.skipIf(natsServer === null)(natsServer === null ? absent('nats-server') : 'like nats-server', () => {
  for (const file of readdirSync(folder).sort()) {
    describe(file, () => {
      const stores = [tempFolder(), tempFolder()];
      const servers: RunningServer[] = [];
      const connections: NatsConnection[] = [];
      beforeAll(async () => {
        const config = ({ path }: { path: string }) => `jetstream { store_dir: ${JSON.stringify(path)} }\n`;
        servers.push(await startWeir(config(stores[0])), await startProgram(natsServer!, config(stores[1])));
        for (const { url } of servers) connections.push(await connect({ servers: url, reconnect: false }));
      });
      afterAll(async () => {
        for (const connection of connections) await connection.close();
        for (const server of servers) await server.stop();
        for (const store of stores) store.remove();
      });

      it('answers the same', async () => {
        for (const line of readFileSync(join(folder, file), 'utf8').split('\n')) {
          if (line === '' || line.startsWith('#')) continue;
          if (line.startsWith('SLEEP ')) {
            await sleep(Number(line.slice('SLEEP '.length)));
            continue;
          }
          const [ours, theirs] = await Promise.all(connections.map((connection) => answerTo(connection, line)));
          expect(ours, line).toEqual(theirs);
        }
      });
    });
  }
});
