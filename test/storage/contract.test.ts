import { afterEach, describe, expect, test } from 'vitest';
import { textOf, utf8 } from '../../src/base/bytes.js';
import type { Message } from '../../src/message/message.js';
import type { FileLogOptions } from '../../src/storage/file-log.js';
import { LogFilter } from '../../src/storage/log-filter.js';
import { MemoryLog } from '../../src/storage/memory-log.js';
import { type LogListener, type MessageLog, REFUSED, StoredMessage } from '../../src/storage/message-log.js';
import { FaultDisk } from './fault-disk.js';
import { openLog, silentListener } from './opened.js';
import { messageOf, readOut, trimSubjects } from './random-operations.js';

const KEY = new Uint8Array(32).fill(9);
const file = (options: Partial<FileLogOptions>) => (listener: LogListener) =>
  openLog(new FaultDisk(), { ...options, listener });

const KINDS: [string, (listener: LogListener) => Promise<MessageLog>][] = [
  ['memory', async (listener) => new MemoryLog(listener)],
  ['file', file({})],
  ['file, synced at intervals', file({ sync: 'interval' })],
  ['file, synced by the system', file({ sync: 'os' })],
  ['file, compressed', file({ compress: true })],
  ['file, encrypted', file({ encryption: { cipher: 'aes-256-gcm', key: KEY } })],
];

function subjectOf({ bytes, subjectStart, subjectEnd }: Message): string {
  return textOf(bytes, subjectStart, subjectEnd);
}

describe.each(KINDS)('a message log: %s', (_name, open) => {
  const opened: MessageLog[] = [];
  const into = new StoredMessage();

  async function start(listener: Partial<LogListener> = {}): Promise<MessageLog> {
    const log = await open({ ...silentListener, ...listener });
    opened.push(log);
    return log;
  }

  function append(log: MessageLog, subject: string, payload = '', timeMs = 1000): number {
    return log.append(messageOf(subject, payload), { timeMs, timeNs: 7 });
  }

  async function filled(...subjects: string[]): Promise<MessageLog> {
    const log = await start();
    for (const [i, subject] of subjects.entries()) append(log, subject, `payload ${i + 1}`, 1000 + i);
    await log.flush();
    return log;
  }

  function all(log: MessageLog, filter: LogFilter | null = null): number[] {
    const found: number[] = [];
    for (let from = 0; log.next(from, filter, into); from = into.sequence + 1) found.push(into.sequence);
    return found;
  }

  afterEach(async () => {
    for (const log of opened.splice(0)) await log.close();
  });

  test('begins empty', async () => {
    const log = await start();
    expect(log.state).toMatchObject({
      messages: 0,
      bytes: 0,
      firstSequence: 1,
      lastSequence: 0,
      deleted: 0,
      subjects: 0,
    });
    expect(log.read(1, into)).toBe(false);
    expect(log.next(0, null, into)).toBe(false);
    expect(log.previous(10, null, into)).toBe(false);
    expect(log.subject(utf8('a'))).toBeNull();
  });

  test('gives back what was stored, headers, time and empty payload included', async () => {
    const log = await start();
    const headers = 'NATS/1.0\r\nA: b\r\n\r\n';
    expect(log.append(messageOf('a.b', 'one', headers), { timeMs: 1_767_225_600_123, timeNs: 999_999 })).toBe(1);
    expect(append(log, 'c')).toBe(2);
    expect(log.read(1, into)).toBe(true);
    expect(readOut(into)).toEqual({
      sequence: 1,
      subject: 'a.b',
      headers,
      payload: 'one',
      timeMs: 1_767_225_600_123,
      timeNs: 999_999,
    });
    expect(log.read(2, into)).toBe(true);
    expect(readOut(into)).toMatchObject({ subject: 'c', headers: '', payload: '' });
  });

  test('tells of a commit, and not from within append', async () => {
    const committed: number[] = [];
    const log = await start({ onCommit: (sequence) => committed.push(sequence) });
    append(log, 'a');
    append(log, 'a');
    expect(committed).toEqual([]);
    expect(await log.flush()).toBeNull();
    expect(committed).toEqual([2]);
    expect(log.committedSequence).toBe(2);
  });

  test('keeps messages larger than a block', async () => {
    const log = await start();
    const large = 'x'.repeat(300_000);
    append(log, 'a', 'before');
    append(log, 'a', large);
    append(log, 'a', 'after');
    await log.flush();
    expect(log.read(2, into)).toBe(true);
    expect(readOut(into).payload).toBe(large);
    expect(log.read(3, into)).toBe(true);
    expect(readOut(into).payload).toBe('after');
  });

  test('finds the next and the previous message by filter', async () => {
    const log = await filled('a.1', 'b.1', 'a.2', 'a.1', 'b.2');
    const filter = LogFilter.of(['a.*']);
    expect(all(log, filter)).toEqual([1, 3, 4]);
    expect(all(log, LogFilter.of(['b.1', 'a.2']))).toEqual([2, 3]);
    expect(all(log, LogFilter.of(['a.1']))).toEqual([1, 4]);
    expect(log.previous(3, LogFilter.of(['a.1']), into)).toBe(true);
    expect(into.sequence).toBe(1);
    expect(log.previous(5, filter, into)).toBe(true);
    expect(into.sequence).toBe(4);
  });

  test('takes tokens of a stored subject for themselves', async () => {
    const log = await filled('a.*', 'a.b', 'a.>');
    expect(all(log, LogFilter.literal(utf8('a.*')))).toEqual([1]);
    expect(all(log, LogFilter.of(['a.*']))).toEqual([1, 2, 3]);
  });

  test('knows subjects, and how many messages match', async () => {
    const log = await filled('a.1', 'b.1', 'a.2', 'a.1');
    expect(log.subject(utf8('a.1'))).toEqual({ messages: 2, firstSequence: 1, lastSequence: 4 });
    expect(log.count(LogFilter.of(['a.>']), 0)).toBe(3);
    expect(log.count(LogFilter.of(['a.>']), 2)).toBe(2);
    expect(log.count(null, 3)).toBe(2);
    expect(log.lastSequences(LogFilter.of(['a.>']), 4)).toEqual([3, 4]);
    expect(log.lastSequences(null, 3)).toEqual([1, 2, 3]);
    const seen: string[] = [];
    log.subjects(LogFilter.of(['a.*']), (subject, state) => seen.push(`${textOf(subject)} ${state.messages}`) > 0);
    expect(seen.sort()).toEqual(['a.1 2', 'a.2 1']);
  });

  test('removes one message, and tells which', async () => {
    const removed: string[] = [];
    const log = await start({ onRemoved: (sequence, message) => removed.push(`${sequence} ${subjectOf(message)}`) });
    for (const subject of ['a', 'b', 'c']) append(log, subject);
    expect(log.remove(2)).toBe(true);
    expect(log.remove(2)).toBe(false);
    expect(log.remove(9)).toBe(false);
    await log.flush();
    expect(removed).toEqual(['2 b']);
    expect(all(log)).toEqual([1, 3]);
    expect(log.state).toMatchObject({ messages: 2, deleted: 1, subjects: 2 });
    const gaps: number[][] = [];
    log.deleted((first, last) => gaps.push([first, last]) > 0);
    expect(gaps).toEqual([[2, 2]]);
  });

  test('goes on behind what was removed', async () => {
    const log = await filled('a', 'a', 'a');
    expect(log.remove(3)).toBe(true);
    expect(log.purge()).toBe(2);
    expect(log.state).toMatchObject({ messages: 0, firstSequence: 4, lastSequence: 3, bytes: 0, subjects: 0 });
    expect(append(log, 'a')).toBe(4);
  });

  test('purges by filter, below a sequence, and all but the last ones', async () => {
    const subjects = ['a', 'b', 'a', 'b', 'a', 'b'];
    const byFilter = await filled(...subjects);
    expect(byFilter.purge({ filter: LogFilter.of(['a']) })).toBe(3);
    expect(all(byFilter)).toEqual([2, 4, 6]);
    const before = await filled(...subjects);
    expect(before.purge({ before: 4 })).toBe(3);
    expect(all(before)).toEqual([4, 5, 6]);
    const keep = await filled(...subjects);
    expect(keep.purge({ filter: LogFilter.of(['b']), keep: 1 })).toBe(2);
    expect(all(keep)).toEqual([1, 3, 5, 6]);
    expect(keep.purge({ keep: 1 })).toBe(3);
    expect(all(keep)).toEqual([6]);
  });

  test('trims from the front by messages, bytes, age', async () => {
    const log = await filled('a', 'a', 'a', 'a', 'a', 'a');
    expect(log.trimMessages(5)).toBe(1);
    const one = log.sizeOf(1, 0, 'payload 1'.length);
    expect(log.trimBytes(one * 4 + 1)).toBe(1);
    expect(log.trimOlderThan({ timeMs: 1003, timeNs: 7 })).toBe(1);
    await log.flush();
    expect(all(log)).toEqual([4, 5, 6]);
    expect(log.state).toMatchObject({ firstSequence: 4, firstTimeMs: 1003, firstTimeNs: 7, lastTimeMs: 1005 });
  });

  test('trims subjects', async () => {
    const log = await filled('a', 'b', 'a', 'b', 'a', 'a');
    expect(log.trimSubject(messageOf('a', ''), 2)).toBe(2);
    expect(log.subject(utf8('a'))).toEqual({ messages: 2, firstSequence: 5, lastSequence: 6 });
    expect(trimSubjects(log, 1)).toBe(2);
    await log.flush();
    expect(all(log)).toEqual([4, 6]);
  });

  test('leaves sequences out', async () => {
    const log = await start();
    log.skipTo(100);
    expect(log.state).toMatchObject({ firstSequence: 100, lastSequence: 99 });
    expect(append(log, 'a')).toBe(100);
    log.skipTo(5_000_000);
    expect(append(log, 'a')).toBe(5_000_000);
    await log.flush();
    expect(all(log)).toEqual([100, 5_000_000]);
    expect(log.state.deleted).toBe(5_000_000 - 100 - 1);
  });

  test('finds the first message of a time', async () => {
    const log = await filled('a', 'a', 'a');
    expect(log.sequenceAtTime({ timeMs: 0, timeNs: 0 })).toBe(1);
    expect(log.sequenceAtTime({ timeMs: 1001, timeNs: 7 })).toBe(2);
    expect(log.sequenceAtTime({ timeMs: 1001, timeNs: 8 })).toBe(3);
    expect(log.sequenceAtTime({ timeMs: 2000, timeNs: 0 })).toBe(4);
  });

  test('erases a message', async () => {
    const log = await filled('a', 'secret', 'a');
    expect(await log.erase(2)).toBe(true);
    expect(await log.erase(2)).toBe(false);
    expect(all(log)).toEqual([1, 3]);
    expect(log.subject(utf8('secret'))).toBeNull();
    expect(append(log, 'a')).toBe(4);
    await log.flush();
    expect(all(log)).toEqual([1, 3, 4]);
  });

  test('stores what its listener stores when something is removed', async () => {
    let log: MessageLog | null = null;
    const markers: number[] = [];
    log = await start({
      onRemoved: (_sequence, message) => {
        if (subjectOf(message) === 'a') markers.push(log!.append(messageOf('marker', ''), { timeMs: 2000, timeNs: 0 }));
      },
    });
    for (const subject of ['a', 'b', 'a']) append(log, subject);
    expect(log.trimOlderThan({ timeMs: 1500, timeNs: 0 })).toBe(3);
    await log.flush();
    expect(markers).toEqual([4, 5]);
    expect(all(log)).toEqual([4, 5]);
  });

  test('refuses what is too large, and everything once it is closed', async () => {
    const log = await start();
    expect(log.append(messageOf('a'.repeat(70_000), ''), { timeMs: 1, timeNs: 0 })).toBe(REFUSED.TOO_LARGE);
    await log.close();
    expect(append(log, 'a')).toBe(REFUSED.CLOSED);
  });

  test('counts sizes as it says', async () => {
    const log = await start();
    log.append(messageOf('a.b', 'payload', 'NATS/1.0\r\n\r\n'), { timeMs: 1, timeNs: 0 });
    log.append(messageOf('a.b', 'payload'), { timeMs: 1, timeNs: 0 });
    expect(log.state.bytes).toBe(log.sizeOf(3, 12, 7) + log.sizeOf(3, 0, 7));
  });
});
