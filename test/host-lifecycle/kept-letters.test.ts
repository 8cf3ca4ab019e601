// Dead letters that a stream keeps: over a restart, until they are delivered again.
import { jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { afterEach, expect, test } from 'vitest';
import { weir } from '../cli/weir.js';
import { guest } from '../hostile/guest.js';
import { tempFolder } from '../kit/temp-folder.js';
import { eventually, until } from '../kit/wait.js';
import { Stage, verdictGuest } from './stage.js';

const folder = tempFolder();
let stage: Stage;
afterEach(async () => {
  await stage.close();
  folder.remove();
});
const open = async () => {
  stage = await Stage.open({ jetstream: true, storeDir: folder.path });
  return jetstreamManager(stage.client);
};

test('are delivered again from the stream, as they were', { timeout: 60_000 }, async () => {
  let manager = await open();
  await manager.streams.add({ name: 'DEAD', subjects: ['$WEIR.DEAD.>'] });
  await stage.bring('p', await guest({ message: 'unreachable' }));
  await stage.bring('q', await guest({ message: 'unreachable' }));
  const block = headers();
  block.set('Weir-Subject', 'elsewhere');
  block.set('Trace', 'ä');
  stage.client.publish('p.in', 'first', { headers: block });
  stage.client.publish('p.in', 'second');
  stage.client.publish('q.in', 'other');
  const state = async () => (await manager.streams.info('DEAD')).state;
  const messages = async () => (await state()).messages;
  await eventually(async () => (await messages()) >= 3, 'the dead letters', 15_000);
  expect(await messages()).toBe(3);
  expect((await manager.streams.getMessage('DEAD', { seq: 1 }))?.header.get('Weir-Cause')).toBe('trap');
  await stage.close();

  manager = await open();
  await stage.done('PLUGIN.INSTALL.p', await verdictGuest(0));
  await stage.done('ATTACHMENT.SWAP.p');
  const arrived = await stage.listen('*.in');
  expect(await stage.done('ATTACHMENT.REDELIVER.p')).toMatchObject({ redelivered: 0, left: 0 });
  const found = await weir(['plugin', 'redeliver', 'p', '--stream', 'DEAD', '--server', stage.server.clientUrl]);
  expect(found.stdout).toBe('delivered 2 dead letters of p again, 0 are left\n');
  await until(() => arrived.length === 2, 'the messages', 15_000);
  expect(arrived.map((message) => message.string())).toEqual(['first', 'second']);
  expect(arrived[0].headers?.get('Trace')).toBe('ä');
  expect(arrived[0].headers?.values('Weir-Subject')).toEqual(['elsewhere']);
  expect(arrived[1].headers).toBeUndefined();
  expect(await messages()).toBe(1);
  expect((await stage.api('ATTACHMENT.REDELIVER.p', { stream: 'NO' })).error).toMatchObject({ err_code: 20050 });
  await manager.streams.update('DEAD', { deny_purge: true });
  // Of a plugin that still fails there are dead letters again, in place of those before.
  const { last_seq } = await state();
  expect(await stage.done('ATTACHMENT.REDELIVER.q', { stream: 'DEAD' })).toMatchObject({ redelivered: 1 });
  await eventually(async () => (await state()).last_seq > last_seq, 'the next dead letter', 15_000);
  expect(await state()).toMatchObject({ messages: 1, first_seq: last_seq + 1, last_seq: last_seq + 1 });
});
