// Many stored messages for one request.
import { connect, createInbox } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { until } from '../kit/wait.js';
import { describeStreams } from './servers.js';

const MESSAGES = 60;
const PAYLOAD = Buffer.alloc(500_000, 'x');
const DEADLINE_MS = 20_000;

describeStreams('batches of messages', (at, storage) => {
  it.each([
    ['of a sequence', { seq: 1, batch: MESSAGES, next_by_subj: 'batch.>' }],
    ['of the last of each subject', { multi_last: ['batch.>'] }],
  ])('%s come whole, though they are sent in parts', async (what, wish) => {
    const { js, manager, server } = at();
    const name = what.includes('last') ? 'LAST' : 'ALL';
    const subjects = [`${name}.>`];
    await manager.streams.add({ name, subjects, storage, allow_direct: true });
    for (let i = 1; i <= MESSAGES; i++) await js.publish(`${name}.${i}`, PAYLOAD);
    const reader = await connect({ servers: server.url, reconnect: false });
    const seen: [sequence: string, pending: string][] = [];
    let end = '';
    const inbox = createInbox();
    reader.subscribe(inbox, {
      callback: (_, { headers, data }) => {
        const [sequence, pending] = ['Nats-Sequence', 'Nats-Num-Pending'].map((field) => headers?.get(field) ?? '');
        if (data.length === PAYLOAD.length) seen.push([sequence, pending]);
        else end = `${headers?.code} ${headers?.description} ${pending}`;
      },
    });
    await reader.flush();
    const request = JSON.stringify(wish).replaceAll('batch.>', `${name}.>`);
    reader.publish(`$JS.API.DIRECT.GET.${name}`, request, { reply: inbox });
    await until(() => end !== '', 'the end of the batch', DEADLINE_MS);
    expect(end).toBe('204 EOB 0');
    expect(seen).toEqual(Array.from({ length: MESSAGES }, (_, i) => [String(i + 1), String(MESSAGES - 1 - i)]));
    await reader.close();
    await manager.streams.delete(name);
  });
});
