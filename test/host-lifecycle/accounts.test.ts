import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Server } from '../../src/server/server.js';
import { tempFolder } from '../kit/temp-folder.js';
import { callApi, optionsOf, Stage, verdictGuest } from './stage.js';

const PASS = 0;
const DROP = 1;
const CONFIG = `accounts {
  "a/.." { users = [{user: ann, password: x}] }
  B { users = [{user: bob, password: x}] }
}`;

let folder: ReturnType<typeof tempFolder>;
let stage: Stage;
let server: Server;
let ann: NatsConnection;
let bob: NatsConnection;

async function open(): Promise<void> {
  const options = await optionsOf(`${CONFIG}\nstore_dir: ${JSON.stringify(folder.path)}\nhttp: "127.0.0.1:-1"`);
  stage = await Stage.open(options, {}, { user: 'ann', pass: 'x' });
  server = stage.server;
  ann = stage.client;
  bob = await connect({ servers: server.clientUrl, user: 'bob', pass: 'x' });
}

async function close(): Promise<void> {
  await bob.close();
  await stage.close();
}

beforeEach(async () => {
  folder = tempFolder();
  await open();
});
afterEach(async () => {
  await close();
  folder.remove();
});

async function passes(client: NatsConnection): Promise<boolean> {
  let arrived = 0;
  const subscription = client.subscribe('p.in', { callback: () => void arrived++ });
  client.publish('p.in', 'x');
  await client.flush();
  subscription.unsubscribe();
  return arrived > 0;
}

test('accounts have plugins of their own, under the same names, over a restart', async () => {
  await stage.bring('p', await verdictGuest(DROP));
  expect([await passes(ann), await passes(bob)]).toEqual([false, true]);
  expect(await callApi(bob, 'PLUGIN.LIST')).toMatchObject({ total: 0 });
  await callApi(bob, 'PLUGIN.INSTALL.p', await verdictGuest(PASS));
  await callApi(bob, 'ATTACHMENT.CREATE.p', { plugin: 'p', subject: 'p.in' });
  expect([await passes(ann), await passes(bob)]).toEqual([false, true]);
  await close();
  await open();
  expect([await passes(ann), await passes(bob)]).toEqual([false, true]);
  expect(await callApi(bob, 'ATTACHMENT.INFO.p')).toMatchObject({ attachment: { counters: { passed: 1 } } });
  // An account's name leads to no other folder.
  expect(readdirSync(join(folder.path, 'plugins')).sort()).toEqual(['$G', 'B', 'a%2F%2E%2E']);
  const { attachments } = await (await fetch(`${server.urls.monitoring![0]}/pluginz?account=B`)).json();
  expect(attachments).toMatchObject([{ account: 'B', name: 'p' }]);
});

test('events and dead letters stay in their account', async () => {
  const letters: string[] = [];
  bob.subscribe('$WEIR.>', { callback: (_, message) => void letters.push(message.subject) });
  await bob.flush();
  const own = await stage.listen('$WEIR.EVENT.>');
  await stage.bring('p', await verdictGuest(PASS));
  await Promise.all([ann.flush(), bob.flush()]);
  expect(own.map(({ subject }) => subject)).toEqual(['$WEIR.EVENT.attached.p']);
  expect(letters).toEqual([]);
});
