import { describe, expect, it } from 'vitest';
import { encodeChunks, encodeSubscriptions, payloadOf, subjectOf } from '../../bench/load/frames.js';
import type { PublisherOrder, SubscriberOrder } from '../../bench/load/orders.js';

const publisher: PublisherOrder = {
  port: 0,
  wire: 'published',
  connections: 1,
  subjects: { prefix: 'd.', count: 3, suffix: '' },
  subjectEach: false,
  payload: { kind: 'bytes', bytes: 16 },
  headers: false,
};

describe('encoded batches', () => {
  it('hold every subject equally often', () => {
    const [chunk, ...more] = encodeChunks(publisher, 0);
    expect(more).toEqual([]);
    const subjects = chunk.bytes.toString().match(/d\.\d+/g)!;
    expect(subjects.length).toBe(chunk.messages);
    expect(subjects.filter((subject) => subject === 'd.0000002').length).toBe(chunk.messages / 3);
    expect(chunk.bytes.length).toBeLessThanOrEqual(64 * 1024);
  });

  it('are cut between messages when there are many subjects', () => {
    const subjects = { prefix: 'd.', count: 5000, suffix: '' };
    const chunks = encodeChunks({ ...publisher, subjects }, 0);
    expect(chunks.reduce((sum, { messages }) => sum + messages, 0)).toBe(5000);
    for (const { bytes } of chunks) expect(bytes.toString()).toMatch(/^PUB d\.\d{7} 16\r\n[\s\S]*x\r\n$/);
  });

  it('are written as they arrive for a server that only copies bytes', () => {
    const [{ bytes }] = encodeChunks({ ...publisher, wire: 'delivered' }, 0);
    expect(bytes.toString()).toMatch(/^MSG d\.0000000 1 16\r\nx{16}\r\nMSG d\.0000001 1 16\r\n/);
  });

  it('give each connection its own subject when asked', () => {
    const [chunk] = encodeChunks({ ...publisher, subjectEach: true }, 2);
    expect(new Set(chunk.bytes.toString().match(/d\.\d+/g))).toEqual(new Set(['d.0000002']));
  });
});

describe('readings', () => {
  it('are JSON of the length asked for, with the values in turn', () => {
    const plan = { kind: 'json', bytes: 128, values: [12.25, 187.5] } as const;
    const texts = [0, 1, 2].map((index) => payloadOf({ ...plan, values: [...plan.values] }, index));
    expect(texts.map((text) => text.length)).toEqual([128, 128, 128]);
    expect(texts.map((text) => JSON.parse(text).value)).toEqual([12.25, 187.5, 12.25]);
  });
});

describe('subscriptions', () => {
  it('are dealt out, with names of one width', () => {
    const filter = { prefix: 'site.', count: 4, suffix: '.>', first: 1, step: 2 };
    const order: SubscriberOrder = {
      port: 0,
      connections: 2,
      filters: [filter],
      deal: true,
      queue: '',
      sampleSubject: 'site.0000000.x',
      payloadBytes: 16,
      headers: false,
    };
    expect(encodeSubscriptions(order, 1)).toBe('SUB site.0000003.> 1000000\r\nSUB site.0000007.> 1000001\r\n');
    expect(subjectOf(filter, 5)).toBe('site.0000003.>');
  });
});
