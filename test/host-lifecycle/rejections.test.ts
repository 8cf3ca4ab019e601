import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { JetStreamApiError, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MESSAGE_REJECTED } from '../../src/host/error-table.js';
import { guest, Kind, record, writingGuest } from '../hostile/guest.js';
import { absent, findPeer } from '../kit/peers.js';
import { tempFolder } from '../kit/temp-folder.js';
import { Stage, verdictGuest } from './stage.js';

const REJECT = 3;
const TEXT = 'no "temperature" below 0 °C\there';
const rejecting = () => writingGuest(REJECT, record(Kind.error, TEXT), { code: 403 });

const folder = tempFolder();
let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open({ jetstream: true, storeDir: folder.path });
  const manager = await jetstreamManager(stage.client);
  await manager.streams.add({ name: 'S', subjects: ['p.in', 'q.in'] });
});
afterEach(async () => {
  await stage.close();
  folder.remove();
});

/** How the client's own `publish` into a stream fails. */
async function refusal(subject: string): Promise<{ status: number; code: number; message: string }> {
  const failure = await jetstream(stage.client)
    .publish(subject, 'x')
    .then(
      () => null,
      (error: unknown) => error,
    );
  expect(failure).toBeInstanceOf(JetStreamApiError);
  const { status, code, message } = failure as JetStreamApiError;
  return { status, code, message };
}

const stored = async () => (await (await jetstreamManager(stage.client)).streams.info('S')).state.messages;

describe('whoever publishes into a stream', () => {
  test('hears what a plugin said when it rejected the message', async () => {
    await stage.bring('p', await rejecting());
    expect(await refusal('p.in')).toEqual({ status: 403, code: MESSAGE_REJECTED, message: TEXT.replace('\t', ' ') });
    expect(await stored()).toBe(0);
    await stage.done('ATTACHMENT.DELETE.p');
    expect(await jetstream(stage.client).publish('p.in', 'x')).toMatchObject({ stream: 'S', seq: 1 });
  });

  test('and when it did so in a worker thread', async () => {
    await stage.bring('p', await rejecting(), { tier: 'worker' });
    expect(await refusal('p.in')).toMatchObject({ status: 403, message: TEXT.replace('\t', ' ') });
  });

  test('hears of a plugin that failed, was given too much, or is at rest', async () => {
    await stage.bring('p', await guest({ message: 'unreachable' }));
    const failed = (cause: string, plugin = 'p') => ({
      ...{ status: 500, code: MESSAGE_REJECTED },
      message: `plugin ${plugin} failed (${cause})`,
    });
    expect(await refusal('p.in')).toEqual(failed('trap'));
    for (let i = 0; i < 4; i++) await refusal('p.in');
    expect(await refusal('p.in')).toEqual(failed('unavailable'));
    await stage.bring('q', await verdictGuest(0), { budget: { messages_per_second: 1 } });
    // However the clock stands, one of these is one too many in its second.
    const results = await Promise.allSettled([1, 2, 3].map(() => jetstream(stage.client).publish('q.in', 'x')));
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.message] : []));
    expect(new Set(refused)).toEqual(new Set([failed('overload', 'q').message]));
    expect(await stored()).toBe(3 - refused.length);
  });
});

const nats = findPeer('nats');

test.skipIf(nats === null)(
  `${nats === null ? absent('nats') : 'the nats command'} says what the plugin said`,
  async () => {
    await stage.bring('p', await rejecting());
    const args = ['--server', stage.server.clientUrl, '--no-context', 'pub', '--jetstream', 'p.in', 'x'];
    const failed = promisify(execFile)(nats!, args, { timeout: 20_000 });
    await expect(failed).rejects.toThrow(TEXT.replace('\t', ' '));
  },
);

test('a request hears of it in the headers as well', async () => {
  await stage.bring('p', await rejecting());
  const answer = await stage.client.request('p.in', 'x');
  expect(answer.headers).toMatchObject({ code: 403, description: TEXT.replace('\t', ' ') });
  const error = { code: 403, err_code: MESSAGE_REJECTED, description: TEXT.replace('\t', ' ') };
  expect(answer.json()).toEqual({ error });
});

test('the number is documented', () => {
  expect(readFileSync('docs/plugin-api.md', 'utf8')).toContain(`"err_code": ${MESSAGE_REJECTED}`);
});
