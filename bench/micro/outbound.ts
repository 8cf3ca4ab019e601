import { utf8 } from '../../src/base/bytes.js';
import { Leg, Subscription } from '../../src/broker/subscription.js';
import { writeMessage } from '../../src/client/delivery.js';
import { FlushQueue } from '../../src/net/flush-queue.js';
import { Outbound } from '../../src/net/outbound.js';
import type { Transport } from '../../src/net/transport.js';
import type { MicroFigure } from '../micro.js';
import { nsPerStep } from '../timing.js';
import { chunkOf, newParser, publishSink } from './parser.js';

const CHUNKS = 300;
const COPIES = 8;

/** A transport whose kernel takes everything at the end of the turn. */
class Sink implements Pick<Transport, 'write'> {
  private readonly taken: (() => void)[] = [];

  write(_bytes: Uint8Array, done: () => void): void {
    this.taken.push(done);
  }

  endTurn(): void {
    for (const done of this.taken.splice(0)) done();
  }
}

/** Time of writing one message for one receiver: that of parsing and writing it several times, less that of parsing alone. */
function measure(line: string): number {
  const leg = new Leg(new Subscription({ deliver: () => true }, utf8('bench.subject'), null, utf8('1')));
  const sink = new Sink();
  const owner = { onOverflow: () => {}, onRelief: () => {} };
  const queue = new FlushQueue(() => 0);
  const outbound = new Outbound(sink as unknown as Transport, queue, owner, 64 * 1024 * 1024);
  const { bytes, start, end, messages } = chunkOf(line);
  let copies = 0;
  const parser = newParser(
    publishSink((message) => {
      for (let i = 0; i < copies; i++) writeMessage(outbound, leg, message, true);
    }),
  );
  const run = () => {
    for (let i = 0; i < CHUNKS; i++) {
      parser.parse(bytes, start, end);
      outbound.flush();
      sink.endTurn();
    }
  };
  const parsing = nsPerStep(CHUNKS * messages, run);
  copies = COPIES;
  return (nsPerStep(CHUNKS * messages, run) - parsing) / COPIES;
}

/** One message from the publisher's bytes into one receiver's buffer. */
export async function benches(): Promise<MicroFigure[]> {
  return [16, 128, 1024, 16_384].map((bytes) => ({
    name: `write MSG for one receiver, ${bytes} B`,
    ns: measure(`PUB bench.subject ${bytes}\r\n${'x'.repeat(bytes)}\r\n`),
  }));
}
