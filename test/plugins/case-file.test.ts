import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCases } from '../../src/cli/plugin-cases.js';
import { type PreparedModule, prepareModule } from '../../src/sandbox/prepare.js';
import { guest } from '../hostile/guest.js';
import { tempFolder } from '../kit/temp-folder.js';
import { compiled, root } from './guest.js';

let probe: PreparedModule;
const { path: folder, remove } = tempFolder();
beforeAll(async () => {
  probe = await compiled(join(root, 'plugins', 'sdk', 'probe'));
}, 60_000);
afterAll(remove);

/** What is not as expected of one message; null when everything is. */
function difference(message: object, expect: object): string | null {
  const file = join(folder, 'case.json');
  writeFileSync(file, JSON.stringify({ cases: [{ name: 'a case', message, expect }] }));
  return runCases(probe, file)[0].difference;
}

/** Makes the probe emit, log and measure. */
const effects = { subject: 'effects', payload: '{"a": 1}' };
const emitted = { subject: 'other.subject', reply: 'answers', headers: 'NATS/1.0\r\nA: 1\r\n\r\n' };
const logs = [
  { level: 'debug', text: 'd' },
  { level: 'info', text: 'i é' },
  { level: 'warn', text: 'w' },
  { level: 'error', text: 'e' },
];
const metrics = [
  { type: 'count', name: 'counted', value: 1 },
  { type: 'gauge', name: 'level', value: -1.5 },
  { type: 'observe', name: 'took', value: 3 },
];

describe('expectations of a case', () => {
  test('emits, logs and metrics, all of them in their order', () => {
    const all = { verdict: 'drop', emits: [{ ...emitted, payload: { a: 1 } }], logs, metrics };
    expect(difference(effects, all)).toBeNull();
    expect(difference(effects, { verdict: 'drop', emits: [{ subject: 'other.subject' }] })).toBeNull();
    expect(difference(effects, { verdict: 'drop' })).toBeNull();
  });

  test('say which emit differs, and in what', () => {
    const wrong = (emit: object) => difference(effects, { verdict: 'drop', emits: [emit] });
    expect(wrong({ subject: 'other' })).toBe('emit 1: expected the subject "other", found "other.subject"');
    expect(wrong({ ...emitted, reply: '' })).toBe('emit 1: expected the reply "", found "answers"');
    expect(wrong({ ...emitted, headers: '' })).toMatch(/^emit 1: expected the headers "", found "NATS/);
    expect(wrong({ ...emitted, payload: { a: 2 } })).toBe('emit 1: expected the payload {"a":2}, found {"a": 1}');
    expect(wrong({ ...emitted, payloadText: '{"a":1}' })).toMatch(/^emit 1: expected the payload "{\\"a\\":1}"/);
  });

  test('an empty list is none at all', () => {
    expect(difference(effects, { verdict: 'drop', emits: [] })).toBe('expected 0 emits, found 1 ("other.subject")');
    expect(difference(effects, { verdict: 'drop', logs: [] })).toMatch(
      /^expected the logs \[\], found \[\{"level":"debug"/,
    );
    expect(difference(effects, { verdict: 'drop', metrics: [] })).toMatch(/^expected the metrics \[\], found \[\{/);
    const quiet = { verdict: 'replace', emits: [], logs: [], metrics: [] };
    expect(difference({ subject: 'state', payload: 'a' }, quiet)).toBeNull();
  });

  test('a level, a text or a value that differs', () => {
    expect(difference(effects, { verdict: 'drop', logs: [...logs.slice(1), logs[0]] })).toMatch(/^expected the logs/);
    const other = [{ ...metrics[0], value: 2 }, ...metrics.slice(1)];
    expect(difference(effects, { verdict: 'drop', metrics: other })).toMatch(/^expected the metrics .*"value":2/);
  });

  test('a fault has no effects', () => {
    const expected = { verdict: 'error', error: 'there is no "x"', emits: [], logs: [], metrics: [] };
    expect(difference({ subject: 'x' }, expected)).toBeNull();
  });

  test('the time at which the broker got the message, the same one unless it is given', () => {
    const at = (message: object) => difference({ subject: 'parts', ...message }, { verdict: 'replace', payload: 0 });
    expect(at({ timestamp: 1_700_000_000_123 })).toMatch(/found parts {3}1700000000123/);
    expect(at({})).toBe(at({ timestamp: Date.UTC(2025, 0, 1) }));
  });

  test('what comes before a message, in its order, and how often', () => {
    const file = join(folder, 'case.json');
    const counted = (before: object[]) => {
      const one = {
        name: 'counted',
        before,
        message: { subject: 'state', payload: 'a' },
        expect: { verdict: 'replace', payloadText: 'a 4 2' },
      };
      writeFileSync(file, JSON.stringify({ cases: [one] }));
      return runCases(probe, file)[0].difference;
    };
    const [a, b] = ['a', 'b'].map((text) => ({ subject: 'state', payload: text }));
    expect(counted([a, b, { ...a, times: 2 }])).toBeNull();
    expect(counted([a, b])).toMatch(/found "a 2 2"/);
    // The probe saves nothing.
    expect(counted([{ swap: true }])).toBe('what came before was refused: the module does not export weir_save');
    expect(() => counted([{ tick: 'now' }])).toThrow(/cases\.0\.before\.0\.tick: /);
  });

  test('what comes before may trap: then there is a new instance, as on a server', async () => {
    const counting = await guest({
      extra: '(global $count (mut i32) (i32.const 0))',
      message: `(global.set $count (i32.add (global.get $count) (i32.const 1)))
        (if (i32.eqz (local.get 7)) (then unreachable)) (i32.ne (global.get $count) (i32.const 1))`,
    });
    const file = join(folder, 'case.json');
    const one = { before: [{ payload: 'x' }, {}], message: { payload: 'x' }, expect: { verdict: 'pass' } };
    writeFileSync(file, JSON.stringify({ cases: [{ name: 'the first again', ...one }] }));
    expect(runCases(prepareModule(counting), file)[0].difference).toBeNull();
  });

  test('a table needs a plugin that takes one', async () => {
    const file = join(folder, 'case.json');
    writeFileSync(
      file,
      JSON.stringify({ table: { a: 1 }, cases: [{ name: 'any', message: {}, expect: { verdict: 'pass' } }] }),
    );
    expect(runCases(prepareModule(await guest()), file)[0].difference).toBe('the module does not export weir_table');
  });

  test('a tick has effects and no verdict', () => {
    const file = join(folder, 'case.json');
    const ticked = (expect: object) => {
      writeFileSync(file, JSON.stringify({ cases: [{ name: 'a tick', tick: 1, expect }] }));
      return runCases(probe, file)[0].difference;
    };
    expect(() => ticked({ verdict: 'pass' })).toThrow(/cases\.0\.expect\.verdict: /);
    expect(ticked({})).toBe('expected no error, found "guest-error: the module does not export weir_tick"');
    expect(ticked({ verdict: 'error', error: 'weir_tick', emits: [] })).toBeNull();
  });

  test('refuses levels, types and keys that there are not', () => {
    const wrong = (part: object) => () => difference(effects, { verdict: 'drop', ...part });
    expect(wrong({ logs: [{ level: 'fatal', text: '' }] })).toThrow(/cases\.0\.expect\.logs\.0\.level: /);
    expect(wrong({ metrics: [{ type: 'sum', name: 'n', value: 1 }] })).toThrow(/expect\.metrics\.0\.type: /);
    expect(wrong({ emits: [{ payload: 1 }] })).toThrow(/"cases\.0\.expect\.emits\.0\.subject" is missing/);
    expect(wrong({ emits: [{ subject: 'a', to: 'b' }] })).toThrow(/"cases\.0\.expect\.emits\.0\.to" is not known/);
  });
});
