// The acknowledgement of a batch comes when all that was stored of it is durable.
import { expect, it } from 'vitest';
import type { Account } from '../../src/broker/account.js';
import { composeMessage, type Message } from '../../src/message/message.js';
import { LogFilter } from '../../src/storage/log-filter.js';
import { DedupeWindow } from '../../src/stream/dedupe.js';
import { headerBlock } from '../../src/stream/headers.js';
import { Intake, type IntakeOwner } from '../../src/stream/intake.js';
import { ManualClock } from '../kit/manual-clock.js';
import { FaultDisk } from '../storage/fault-disk.js';
import { openLog, silentListener } from '../storage/opened.js';

it('even if its last message is one that nobody waits for', async () => {
  const said: string[] = [];
  const say = (message: Message) => {
    said.push(Buffer.from(message.bytes.subarray(message.payloadStart, message.payloadEnd)).toString());
    return 1;
  };
  const log = await openLog(new FaultDisk(), {
    listener: { ...silentListener, onCommit: (sequence) => intake.onCommit(sequence) },
  });
  const consumer = { feed: { filter: LogFilter.of(['i.1']) }, onAppended: () => {} };
  const owner = {
    ...{ log, followers: new Set(), consumers: new Map([['c', consumer]]), sweeping: false },
    config: { name: 'I', retention: 'interest', allow_atomic: true, max_msg_size: -1, storage: 'file' },
    dedupe: new DedupeWindow(0),
    expiry: { onAppended: () => {} },
    surroundings: {
      ...{ clock: new ManualClock(), domain: '', isExhausted: () => false, advise: () => {} },
      broker: { answer: say, publishDirect: say } as unknown as Account,
    },
  };
  const intake = new Intake(owner as unknown as IntakeOwner);
  const send = (subject: string, sequence: number, more: [string, string][] = []) => {
    const headers = headerBlock([['Nats-Batch-Id', 'b'], ['Nats-Batch-Sequence', sequence], ...more]);
    const texts = { subject: Buffer.from(subject), reply: Buffer.from('answers') };
    intake.take(composeMessage({ ...texts, headers, payload: Buffer.from('x') }));
  };
  send('i.1', 1);
  send('i.2', 2, [['Nats-Batch-Commit', '1']]);
  expect(log.state).toMatchObject({ messages: 1, lastSequence: 2 });
  // What is stored is not durable yet; the first message's empty answer says that it came.
  expect(said).toEqual(['']);
  expect(await log.flush()).toBeNull();
  expect(said).toEqual(['', '{"stream":"I","seq":2,"batch":"b","count":2}']);
  await log.close();
});
