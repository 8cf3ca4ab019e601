import { describe, expect, it } from 'vitest';
import { Congestion } from '../../src/client/congestion.js';
import { PauseReason } from '../../src/client/pause-reason.js';
import { Reading } from '../../src/client/reading.js';
import { ReadingTurn } from '../../src/client/reading-turn.js';
import { Parser } from '../../src/wire/nats/parser.js';
import { ManualClock } from '../kit/manual-clock.js';

/** A turn whose end tests say, and readers whose every PING takes a millisecond. */
function house() {
  const clock = new ManualClock();
  let deferred: (() => void)[] = [];
  const turn = new ReadingTurn(clock, (run) => deferred.push(run));
  const congestion = new Congestion(clock, () => false);
  const reader = () => {
    const operations = {
      pings: 0,
      onPing() {
        this.pings++;
        clock.advance(1);
      },
      onSlice: (bytes: number) => turn.look(client as never, bytes),
    };
    const parser = new Parser(operations as never, {
      controlLineBytesMax: 10_000,
      payloadBytesMax: 100,
      headers: true,
    });
    const transport = {
      paused: false,
      pause: () => (transport.paused = true),
      resume: () => (transport.paused = false),
    };
    const reading = new Reading(parser, transport as never);
    const client = { reading, closedReason: null as string | null, context: { congestion }, stalls: 0 };
    return { operations, parser, reading, transport, client };
  };
  const nextTurn = () => {
    const runs = deferred;
    deferred = [];
    for (const run of runs) run();
  };
  return { reader, nextTurn, waiting: () => deferred.length };
}

/** A PING that fills a slice. */
const PINGS = (count: number) => Buffer.from(`PING${' '.repeat(4_096)}\r\n`.repeat(count));

describe('ReadingTurn', () => {
  it('makes what follows wait when the share of a turn is used up, and goes on until all is done', () => {
    const { reader, nextTurn, waiting } = house();
    const { operations, parser, transport, reading } = reader();
    const bytes = PINGS(100);
    parser.parse(bytes, 0, bytes.length);
    expect(operations.pings).toBeLessThan(12);
    expect(transport.paused).toBe(true);
    for (let before = operations.pings; waiting() > 0; before = operations.pings) {
      nextTurn();
      expect(operations.pings - before).toBeLessThan(12);
    }
    expect(operations.pings).toBe(100);
    expect(transport.paused).toBe(false);
    expect(reading.has(PauseReason.turn)).toBe(false);
  });

  it('serves those who wait in turn', () => {
    const { reader, nextTurn } = house();
    const readers = [reader(), reader(), reader()];
    const bytes = PINGS(100);
    const pings = () => readers.map(({ operations }) => operations.pings);
    for (const { parser } of readers) parser.parse(Buffer.from(bytes), 0, bytes.length);
    while (Math.max(...pings()) < 100) nextTurn();
    // Whoever is the first to be done is ahead of the others by a turn, no more.
    expect(Math.min(...pings())).toBeGreaterThan(100 - 2 * 12);
    for (let i = 0; i < 20; i++) nextTurn();
    expect(pings()).toEqual([100, 100, 100]);
  });

  it('leaves those alone that are gone', () => {
    const { reader, nextTurn } = house();
    const { operations, parser, client, reading } = reader();
    const bytes = PINGS(40);
    parser.parse(bytes, 0, bytes.length);
    const { pings } = operations;
    client.closedReason = 'Client Closed';
    reading.end();
    for (let i = 0; i < 5; i++) nextTurn();
    expect(operations.pings).toBe(pings);
  });
});
