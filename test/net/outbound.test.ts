import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlushQueue } from '../../src/net/flush-queue.js';
import { Outbound } from '../../src/net/outbound.js';
import type { Transport } from '../../src/net/transport.js';

/** Adds bytes as a session does: straight into what is gathered, or as they are when there are too many. */
function write(outbound: Outbound, bytes: Uint8Array): void {
  const slab = outbound.reserve(bytes.length);
  if (slab === null) {
    outbound.append(bytes);
    return;
  }
  slab.bytes.set(bytes, slab.used);
  slab.used += bytes.length;
}

/** A transport whose kernel takes bytes when the test says so, or at once when it is eager and nothing waits. */
class HeldTransport implements Partial<Transport> {
  isEager = false;
  readonly sent: Buffer[] = [];
  private readonly held: { bytes: Uint8Array; copy: Buffer; done: () => void }[] = [];

  write(bytes: Uint8Array, done: () => void): void {
    this.held.push({ bytes, copy: Buffer.from(bytes), done });
    if (this.isEager && this.held.length === 1) this.take();
  }

  get heldWrites(): number {
    return this.held.length;
  }

  /** The kernel takes the oldest write. */
  take(): void {
    const write = this.held.shift();
    if (write === undefined) return;
    expect(Buffer.compare(Buffer.from(write.bytes), write.copy), 'bytes stay as they are until they are sent').toBe(0);
    this.sent.push(write.copy);
    write.done();
  }

  takeAll(): void {
    while (this.held.length > 0) this.take();
  }

  get content(): Buffer {
    return Buffer.concat(this.sent);
  }
}

interface Setup {
  outbound: Outbound;
  transport: HeldTransport;
  events: string[];
  clock: { ns: number };
}

function setUp(pendingBytesMax = 64 * 1024 * 1024): Setup {
  const transport = new HeldTransport();
  const events: string[] = [];
  const clock = { ns: 1 };
  const owner = {
    onOverflow: () => void events.push('overflow'),
    onRelief: () => void events.push('relief'),
  };
  const queue = new FlushQueue(() => clock.ns);
  return {
    outbound: new Outbound(transport as never as Transport, queue, owner, pendingBytesMax),
    transport,
    events,
    clock,
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function bytesOf(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7) & 0xff);
}

const length = fc.oneof(fc.nat(40), fc.nat(600), fc.nat(5_000), fc.nat(100_000));
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('one', 'written'), size: length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('turn', 'take', 'takeAll', 'eager') }) },
);

describe('what waits to be sent', () => {
  it('goes out in one write at the end of the turn', async () => {
    const { outbound, transport } = setUp();
    outbound.append(Buffer.from('one '));
    write(outbound, Buffer.from('two three '));
    write(outbound, Buffer.from('four five '));
    expect(transport.heldWrites).toBe(0);
    await turn();
    expect(transport.heldWrites).toBe(1);
    transport.takeAll();
    expect(transport.content.toString()).toBe('one two three four five ');
    expect(outbound.pendingBytes).toBe(0);
  });

  it('is gathered while other bytes are on their way', async () => {
    const { outbound, transport } = setUp();
    outbound.append(Buffer.from('a'));
    await turn();
    for (const letter of ['b', 'c', 'd']) {
      outbound.append(Buffer.from(letter));
      await turn();
    }
    expect(transport.heldWrites).toBe(1);
    transport.take();
    await turn();
    expect(transport.heldWrites).toBe(1);
    transport.take();
    expect(transport.sent.map(String)).toEqual(['a', 'bcd']);
  });

  it('is a copy: the giver may use its bytes again', async () => {
    const { outbound, transport } = setUp();
    for (const size of [10, 5_000, 40_000, 200_000]) {
      const bytes = bytesOf(size, 1);
      outbound.append(bytes);
      bytes.fill(0);
    }
    await turn();
    transport.takeAll();
    await turn();
    transport.takeAll();
    expect(transport.content.equals(Buffer.concat([10, 5_000, 40_000, 200_000].map((size) => bytesOf(size, 1))))).toBe(
      true,
    );
  });

  it('comes out whole and in order, whatever the sizes and whenever the kernel takes it (property)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { outbound, transport, events } = setUp();
        const expected: Uint8Array[] = [];
        let seed = 0;
        for (const { kind, ...rest } of steps) {
          const { size = 0 } = rest as { size?: number };
          const bytes = bytesOf(size, ++seed);
          if (kind === 'one') outbound.append(bytes);
          else if (kind === 'written') write(outbound, bytes);
          else if (kind === 'turn') await turn();
          else if (kind === 'take') transport.take();
          else if (kind === 'takeAll') transport.takeAll();
          else if (kind === 'eager') transport.isEager = !transport.isEager;
          if (kind === 'one' || kind === 'written') expected.push(bytes);
          const all = expected.reduce((sum, piece) => sum + piece.length, 0);
          expect(outbound.pendingBytes).toBe(all - transport.content.length);
        }
        while (outbound.pendingBytes > 0) {
          await turn();
          transport.takeAll();
        }
        expect(transport.content.equals(Buffer.concat(expected))).toBe(true);
        expect(events).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a peer that takes too little', () => {
  it.each([100, 3_000, 50_000])(
    'overflows once when more than the limit is waiting, in pieces of %i bytes',
    async (size) => {
      const { outbound, transport, events } = setUp(200_000);
      let given = 0;
      while (events.length === 0 && given < 10_000_000) {
        outbound.append(bytesOf(size, given));
        given += size;
        if (given % (size * 50) === 0) await turn();
      }
      for (let i = 0; i < 10; i++) outbound.append(bytesOf(size, i));
      await turn();
      expect(events).toEqual(['overflow']);
      // One buffer more than the limit at most.
      expect(given).toBeLessThan(200_000 + 2 * 64 * 1024 + size);
      transport.takeAll();
      await turn();
      expect(transport.heldWrites).toBe(0);
    },
  );

  it('is congested from three quarters of the limit on, and relieved at half of that', async () => {
    const { outbound, transport, events } = setUp(400_000);
    for (let i = 0; i < 7; i++) outbound.append(bytesOf(50_000, i));
    await turn();
    expect(outbound.congested).toBe(true);
    for (let i = 0; i < 4; i++) transport.take();
    expect(events).toEqual([]);
    transport.take();
    expect(events).toEqual(['relief']);
    expect(outbound.congested).toBe(false);
    transport.takeAll();
    expect(events).toEqual(['relief']);
  });

  it('is relieved when its connection ends', async () => {
    const { outbound, events } = setUp(400_000);
    for (let i = 0; i < 7; i++) outbound.append(bytesOf(50_000, i));
    expect(outbound.congested).toBe(true);
    outbound.close(false);
    expect(events).toEqual(['relief']);
  });

  it('shows since when nothing was taken', async () => {
    const { outbound, transport, clock } = setUp();
    expect(outbound.sendingSinceNs).toBe(0);
    clock.ns = 100;
    outbound.append(bytesOf(40_000, 1));
    outbound.append(bytesOf(40_000, 2));
    expect(outbound.sendingSinceNs).toBe(100);
    clock.ns = 200;
    transport.take();
    expect(outbound.sendingSinceNs).toBe(200);
    transport.take();
    expect(outbound.sendingSinceNs).toBe(0);
  });
});

describe('the end', () => {
  it('sends what was gathered, and takes no more', async () => {
    const { outbound, transport } = setUp();
    outbound.append(Buffer.from('last words'));
    outbound.close(true);
    outbound.append(Buffer.from('too late'));
    outbound.append(Buffer.alloc(100_000));
    expect(outbound.reserve(4)).toBeNull();
    await turn();
    transport.takeAll();
    await turn();
    expect(transport.content.toString()).toBe('last words');
    expect(transport.heldWrites).toBe(0);
  });

  it('throws away what was gathered when the peer is cut off', async () => {
    const { outbound, transport } = setUp();
    outbound.append(Buffer.from('lost'));
    outbound.close(false);
    await turn();
    expect(transport.heldWrites).toBe(0);
  });
});
