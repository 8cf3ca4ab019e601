import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emit, guest, Kind, record, records, writingGuest } from '../hostile/guest.js';
import { digitGuest } from './counting.js';
import { Stage, verdictGuest } from './stage.js';
import { type Json, traceOf } from './traces.js';

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.open();
});
afterEach(() => stage.close());

const trace = (subject: string, only: boolean) => traceOf(stage.client, subject, { only });

describe.each(['loop', 'worker'])('the trace of a message that plugins see in the tier %s', (tier) => {
  it.each([false, true])('names each of them, its version, verdict, fuel and time (trace only: %s)', async (only) => {
    await stage.bring('p', await verdictGuest(0), { tier, phase: 'validate' });
    await stage.done('PLUGIN.INSTALL.r', await writingGuest(2, record(Kind.subject, 'elsewhere')));
    await stage.done('ATTACHMENT.CREATE.r', { tier, plugin: 'r', subject: 'p.in' });
    const seen = await stage.listen('elsewhere');
    const said = await trace('p.in', only);
    expect(Object.keys(said)).toEqual(['server', 'request', 'events', 'plugins']);
    const common = { ts: expect.stringMatching(/Z$/), acc: '$G', version: 1, stage: 'publish' };
    const cost = { fuel: expect.any(Number), ns: expect.any(Number) };
    expect(said.plugins).toEqual([
      { ...common, ...cost, attachment: 'p', plugin: 'p', phase: 'validate', verdict: 'pass' },
      { ...common, ...cost, attachment: 'r', plugin: 'r', phase: 'transform', verdict: 'replace', to: 'elsewhere' },
    ]);
    expect(said.plugins.every(({ fuel, ns }: Json) => fuel > 0 && ns > 0)).toBe(true);
    expect(said.events.map(({ type, sub }: Json) => [type, sub])).toEqual([
      ['in', undefined],
      ['eg', 'elsewhere'],
    ]);
    await stage.client.flush();
    expect(seen).toHaveLength(only ? 0 : 1);
  });

  it('says that one dropped or rejected it, or failed, and what was done then', async () => {
    await stage.bring('drops', await verdictGuest(1), { tier });
    await stage.bring('rejects', await writingGuest(3, record(Kind.error, 'too hot'), { code: 422 }), { tier });
    await stage.bring('traps', await guest({ message: 'unreachable' }), { tier, failure: { default: 'drop' } });
    await stage.bring('emits', await writingGuest(0, emit('x')), { tier });
    const dropped = await trace('drops.in', false);
    expect(dropped.events).toEqual([expect.objectContaining({ type: 'in', error: 'Dropped by a plugin' })]);
    expect(dropped.plugins).toEqual([expect.objectContaining({ verdict: 'drop' })]);
    const rejected = await trace('rejects.in', false);
    expect(rejected.events[0].error).toBe('Rejected by a plugin: 422 too hot');
    expect(rejected.plugins).toEqual([expect.objectContaining({ verdict: 'reject', code: 422, error: 'too hot' })]);
    const trapped = await trace('traps.in', false);
    expect(trapped.plugins[0]).toMatchObject({
      verdict: 'fault',
      action: 'drop',
      error: expect.stringMatching(/^trap: /),
    });
    // Nothing granted it: only the host finds that out, behind the call.
    expect((await trace('emits.in', false)).plugins[0]).toMatchObject({
      verdict: 'fault',
      action: 'dead-letter',
      error: expect.stringMatching(/^guest-error: .*emit/),
    });
  });

  it('changes nothing when only the trace is wanted', async () => {
    await stage.bring('counts', await digitGuest(), { tier });
    await stage.done('PLUGIN.INSTALL.emits', await writingGuest(0, records(emit('emitted', 'x'))));
    await stage.done('ATTACHMENT.CREATE.emits', {
      tier,
      plugin: 'emits',
      subject: 'counts.in',
      grants: { emit: ['emitted'] },
    });
    await stage.bring('traps', await guest({ message: 'unreachable' }), { tier });
    const [counted, emitted, letters] = await Promise.all(
      ['counts.in', 'emitted', '$WEIR.DEAD.>'].map((s) => stage.listen(s)),
    );
    stage.client.publish('counts.in');
    for (let i = 0; i < 3; i++) {
      const said = await trace('counts.in', true);
      expect(said.plugins.map(({ verdict }: Json) => verdict)).toEqual(['replace', 'pass']);
    }
    for (let i = 0; i < 20; i++) expect((await trace('traps.in', true)).plugins[0].error).toMatch(/^trap: /);
    stage.client.publish('counts.in');
    await stage.client.flush();
    expect(counted.map((message) => message.string())).toEqual(['1', '2']);
    expect(emitted).toHaveLength(2);
    expect(letters).toHaveLength(0);
    const { attachments } = stage.server.host;
    expect(attachments.get('counts')!.counters.calls).toBe(2);
    expect(attachments.get('traps')!.breaker.quarantined).toBe(false);
  });
});

describe('the trace of a message that plugins of its receivers see', () => {
  it.each([false, true])('names them (trace only: %s)', async (only) => {
    await stage.bring('d', await verdictGuest(1), { stage: 'deliver', receivers: { queue: 'q' } });
    await stage.listen('d.in');
    stage.client.subscribe('d.in', { queue: 'q', callback: () => {} });
    await stage.client.flush();
    const { plugins, events } = await trace('d.in', only);
    expect(plugins).toEqual([expect.objectContaining({ attachment: 'd', stage: 'deliver', verdict: 'drop' })]);
    expect(events.slice(1).map(({ queue, error }: Json) => [queue, error])).toEqual([
      [undefined, undefined],
      ['q', 'Not delivered because a plugin dropped it for this receiver'],
    ]);
  });
});
