import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FUEL_FOR_ENTRY } from '../../src/sandbox/budget.js';
import type { PreparedModule } from '../../src/sandbox/prepare.js';
import { compiled, Guest, root } from './guest.js';

let prepared: PreparedModule;
beforeAll(async () => {
  prepared = await compiled(join(root, 'plugins', 'sdk', 'probe'));
});

describe('a message in a plugin', () => {
  const parts = (headers: Record<string, string>) =>
    new Guest(prepared).call({ subject: 'parts.two', reply: 'inbox', headers });

  it('gives its parts and takes new ones', () => {
    const answer = parts({ Read: ' a: b ', Subject: 'new.subject', Reply: 'elsewhere' });
    expect(answer).toMatchObject({ verdict: 'replace', subject: 'new.subject', reply: 'elsewhere', headers: null });
    expect(answer.payload).toBe('new.subject elsewhere a: b 1700000000123.0');
  });

  it('sets a header in place of all of that name, and leaves names alone that only begin like it', () => {
    const answer = parts({ Set: 'Read=2', Read: '1', Reader: '3', read: '4' });
    expect(answer.headers).toBe('NATS/1.0\r\nSet: Read=2\r\nReader: 3\r\nread: 4\r\nRead: 2\r\n\r\n');
    expect(answer.payload).toContain(' 2 ');
  });

  it('removes a header, and the block with the last one', () => {
    expect(parts({ Remove: 'A', A: '1' }).headers).toBe('NATS/1.0\r\nRemove: A\r\n\r\n');
    expect(parts({ Remove: 'Remove' }).headers).toBe('');
  });

  it.each([
    ['A=1~B: 2', 'the header "A" with a line break in its value'],
    ['A B=1', 'a header with the name "A B"'],
    ['A:B=1', 'a header with the name "A:B"'],
  ])('does not write the header %s', (set, error) => {
    const answer = parts({ Set: set });
    expect(answer).toMatchObject({ verdict: 'fault', headers: null });
    expect(answer.error).toContain(`the plugin writes ${error}`);
  });

  it('leaves effects', () => {
    const guest = new Guest(prepared);
    expect(guest.call({ subject: 'effects', payload: 'text' }).verdict).toBe('drop');
    const { emits, logs, metrics } = guest.instance.outbox;
    const texts = emits.map(({ subject, reply, headers, payload }) =>
      [subject, reply, headers, payload].map((range) => guest.text(range)),
    );
    expect(texts).toEqual([['other.subject', 'answers', 'NATS/1.0\r\nA: 1\r\n\r\n', 'text']]);
    expect(logs).toEqual(['d', 'i é', 'w', 'e'].map((text, level) => ({ level, text })));
    expect(metrics).toEqual([
      { type: 0, name: 'counted', value: 1 },
      { type: 1, name: 'level', value: -1.5 },
      { type: 2, name: 'took', value: 3 },
    ]);
  });

  it('larger than the outbox is an error, and the next message is judged', () => {
    const guest = new Guest(prepared);
    const large = guest.call({ subject: 'large', payload: '3000000' });
    expect(large).toMatchObject({ verdict: 'fault', payload: null });
    expect(large.error).toContain('the plugin wrote more than its outbox holds');
    expect(guest.call({ subject: 'large', payload: '3' }).payload).toBe('xxx');
  });

  it('may be larger than the first inbox', () => {
    const guest = new Guest(prepared);
    const text = JSON.stringify({ v: 'y'.repeat(200_000) });
    expect(guest.call({ subject: 'json.text', payload: text }).payload).toBe(
      `${text.slice(0, -1)},"r":"${'y'.repeat(200_000)}"}`,
    );
    expect(guest.call({ subject: 'json.number', payload: '{"v":1}' }).payload).toBe('{"v":1,"r":1}');
  });
});

describe('JSON in a plugin', () => {
  const answerTo = (what: string, payload: string, headers: Record<string, string> = {}) =>
    new Guest(prepared).call({ subject: `json.${what}`, payload, headers });

  it.each([
    ['', 'it ends at byte 0 where a value was expected'],
    ['{"a":1', 'it ends at byte 6 where "," or "}" was expected'],
    ['[1 2]', 'it has "2" at byte 3 where "," or "]" was expected'],
    ['[1,]', 'it has "]" at byte 3 where a value was expected'],
    ['{"a" 1}', 'it has "1" at byte 5 where ":" was expected'],
    ['{a:1}', 'it has "a" at byte 1 where a key in double quotes was expected'],
    ['"ab', 'it ends at byte 3 where a character or the end of a string was expected'],
    ['"a\nb"', 'it has the byte 0xa at byte 2 where a character or the end of a string was expected'],
    ['"\\x"', 'it has "x" at byte 2 where an escape was expected'],
    ['"\\u12g4"', 'it has "g" at byte 5 where a hexadecimal digit was expected'],
    ['-', 'it ends at byte 1 where a digit was expected'],
    ['1.e5', 'it has "e" at byte 2 where a digit was expected'],
    ['01', 'it has "1" at byte 1 where the end was expected'],
    ['{} x', 'it has "x" at byte 3 where the end was expected'],
    ['\u00a0', 'it has the byte 0xc2 at byte 0 where a value was expected'],
  ])('%j is refused with its place', (payload, error) => {
    expect(answerTo('number', payload)).toMatchObject({ verdict: 'reject', error });
  });

  it('is bounded in depth and number of values', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(answerTo('find', nested(512), { Path: '0' }).payload).toBe(nested(511));
    expect(answerTo('find', nested(513)).error).toBe('it is nested deeper than 512');
    const row = (count: number) => `[${'1,'.repeat(count - 2)}2]`;
    expect(answerTo('find', row(65_536), { Path: '65534' }).payload).toBe('2');
    expect(answerTo('find', row(65_537)).error).toBe('it has more than 65536 values');
  });

  it.each([
    ['{"a":{"b":[1,{"c":"d"}]}}', 'a.b.1.c', '"d"'],
    ['{"a.b":1,"a":{"b":2}}', 'a\\.b', '1'],
    ['{"0":1}', '0', '1'],
    ['[1,2]', '01', ''],
    ['[1,2]', '2', ''],
    ['{"a":1,"\\u0061":2}', 'a', '2'],
    ['{"\\ud83d\\ude00":1}', '😀', '1'],
    ['{"*":1,"a":2}', '*', '1'],
    ['{"seventeen letters":1,"seventeen lettert":2}', 'seventeen lettert', '2'],
    ['{"":1}', '', '1'],
    ['5', 'a', ''],
  ])('in %s lies at %s: %s', (payload, path, found) => {
    expect(answerTo('find', payload, { Path: path }).payload).toBe(found);
  });

  it.each([
    ['{}', 'a', '1', '{"a":1}'],
    ['{ }', 'a', '1', '{ "a":1}'],
    ['{"a":1,"a":2}', 'a', '3', '{"a":1,"a":3}'],
    ['{"a":{"b":[1,2]}}', 'a.b.1', '{"x":1}', '{"a":{"b":[1,{"x":1}]}}'],
    ['{"a":{}}', 'a.quo"te', 'null', '{"a":{"quo\\"te":null}}'],
  ])('%s with %s set to %s is %s', (payload, path, value, changed) => {
    expect(answerTo('set', payload, { Path: path, Value: value }).payload).toBe(changed);
  });

  it.each([
    ['[1]', 'a'],
    ['{"a":1}', 'a.b'],
    ['{}', 'a.b'],
    ['5', 'a'],
  ])('%s has no place for %s', (payload, path) => {
    expect(answerTo('set', payload, { Path: path, Value: '1' })).toMatchObject({ verdict: 'fault', payload: null });
  });

  it('can be walked', () => {
    expect(answerTo('walk', '{"a":1, "b" : [2,{}],"\\u0063":"x"}').payload).toBe('a=1;b=[2,{}];c="x";');
    expect(answerTo('walk', '{}').payload).toBe('');
    expect(answerTo('length', '{"a":[1,[2,3],{}]}', { Path: 'a' }).payload).toBe('3');
  });

  it('is read as it was changed', () => {
    expect(answerTo('twice', '{"a":1}').payload).toBe('{"a":2,"b":3}');
  });
});

describe('memory of a plugin', () => {
  it('does not grow with messages, and state outlives them', () => {
    const guest = new Guest(prepared);
    const send = (messages: number) => {
      let last = '';
      for (let i = 0; i < messages; i++)
        last = guest.call({ subject: 'state', payload: `key-${i % 1000}` }).payload ?? '';
      return last;
    };
    send(20_000);
    const before = guest.instance.memoryBytes;
    expect(send(80_000)).toBe('key-999 100 1000');
    expect(guest.instance.memoryBytes).toBe(before);
  });

  describe('that has a table', () => {
    const takeEntry = (guest: Guest, key: string, value: string | null) => {
      const { instance } = guest;
      const bytes = value === null ? null : Buffer.from(value);
      if (!instance.takeEntry(Buffer.from(key), bytes, FUEL_FOR_ENTRY)) throw new Error(instance.fault.text);
    };
    const found = (guest: Guest, key: string) => guest.call({ subject: 'entries', payload: key }).payload;

    it.each([100, 20_000])('does not grow with entries that come and go, %i at a time', (there) => {
      const guest = new Guest(prepared);
      const comeAndGo = (from: number, to: number) => {
        for (let i = from; i < to; i++) {
          takeEntry(guest, `session-${i}${'x'.repeat(i % 7)}`, `${i}`);
          if (i >= there) takeEntry(guest, `session-${i - there}${'x'.repeat((i - there) % 7)}`, null);
        }
      };
      comeAndGo(0, 2 * there + 10_000);
      const before = guest.instance.memoryBytes;
      comeAndGo(2 * there + 10_000, 100_000);
      expect(guest.instance.memoryBytes).toBe(before);
      expect(found(guest, 'session-99999xxxx')).toBe(`5 of ${there}`);
      expect(found(guest, 'session-0')).toBe(`-1 of ${there}`);
    });

    it('takes as many entries as a budget allows, each with the fuel for one', () => {
      const guest = new Guest(prepared);
      for (let i = 0; i < 100_000; i++) takeEntry(guest, `device-${i}`, 'x'.repeat(i % 5));
      for (let i = 0; i < 100_000; i += 997) expect(found(guest, `device-${i}`)).toBe(`${i % 5} of 100000`);
      for (let i = 0; i < 100_000; i += 2) takeEntry(guest, `device-${i}`, null);
      for (let i = 0; i < 100_000; i += 997) {
        expect(found(guest, `device-${i}`)).toBe(`${i % 2 === 0 ? -1 : i % 5} of 50000`);
      }
    });
  });

  it('names the function that trapped', () => {
    const answer = new Guest(prepared).call({ subject: 'trap', payload: '12' });
    expect(answer.verdict).toBe('fault');
    expect(answer.error).toMatch(/^trap: .*onMessage/);
  });
});
