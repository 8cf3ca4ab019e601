import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Server } from '../../src/server/server.js';
import { guest } from '../hostile/guest.js';
import { optionsOf } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { callApi, Stage, verdictGuest } from './stage.js';

const PASS = 0;
const DROP = 1;
const CONFIG = `accounts {
  "a/.." { users = [{user: ann, password: x}], exports = [{stream: "shared.>"}] }
  B { users = [{user: bob, password: x}], imports = [{stream: {account: "a/..", subject: "shared.>"}}] }
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

test('what an account imports goes through its own plugins, too', async () => {
  const arrived: string[] = [];
  bob.subscribe('shared.*', { callback: (_, message) => void arrived.push(`${message.subject} ${message.string()}`) });
  await callApi(bob, 'PLUGIN.INSTALL.short', await guest({ message: '(i32.gt_u (local.get 7) (i32.const 2))' }));
  await callApi(bob, 'ATTACHMENT.CREATE.short', { plugin: 'short', subject: 'shared.>' });
  const own = await stage.listen('shared.>');
  for (const text of ['a', 'long', 'b']) ann.publish('shared.x', text);
  await Promise.all([ann.flush(), bob.flush()]);
  expect(own.map((message) => message.string())).toEqual(['a', 'long', 'b']);
  expect(arrived).toEqual(['shared.x a', 'shared.x b']);
  // A plugin that fails keeps the message in its own account.
  const letters: string[] = [];
  bob.subscribe('$WEIR.DEAD.*', { callback: (_, message) => void letters.push(message.string()) });
  await callApi(bob, 'PLUGIN.INSTALL.short', await guest({ message: 'unreachable' }));
  await callApi(bob, 'ATTACHMENT.SWAP.short');
  ann.publish('shared.x', 'c');
  await Promise.all([ann.flush(), bob.flush()]);
  expect([letters, arrived.length]).toEqual([['c'], 2]);
});

test('events and dead letters stay in their account', async () => {
  const letters: string[] = [];
  bob.subscribe('$WEIR.>', { callback: (_, message) => void letters.push(message.subject) });
  await bob.flush();
  const own = await stage.listen('$WEIR.EVENT.>');
  await stage.bring('p', await verdictGuest(PASS));
  await Promise.all([ann.flush(), bob.flush()]);
  // Each of the two commands is told of as an audit too.
  expect(own.map(({ subject }) => subject).sort()).toEqual([
    '$WEIR.EVENT.attached.p',
    '$WEIR.EVENT.audit.p',
    '$WEIR.EVENT.audit.p',
  ]);
  expect(letters).toEqual([]);
});
