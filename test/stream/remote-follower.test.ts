// What a stream says to the consumer elsewhere that it takes messages from.
import { expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.js';
import type { Leg, Subscription } from '../../src/broker/subscription.js';
import { composeMessage, type Message, NO_BYTES } from '../../src/message/message.js';
import { headerBlock, readHeaders, status } from '../../src/stream/headers.js';
import type { Taker } from '../../src/stream/inflow.js';
import { RemoteFollower } from '../../src/stream/remote-follower.js';
import { deliveredOf, readAnswer } from '../../src/stream/remote-request.js';
import { ManualClock } from '../kit/manual-clock.js';

const bytes = (text: string) => Buffer.from(text);

/** A follower of a consumer that is played by the test. */
class Play {
  readonly said: Message[] = [];
  /** The requests that it began with. */
  asked: Message[];
  readonly taken: number[] = [];
  readonly log = { state: { lastSequence: 0 }, committedSequence: 0 };
  private subscriptions: Subscription[] = [];
  readonly follower: RemoteFollower;
  readonly clock = new ManualClock();

  constructor({ position = 0, identity = '' } = {}) {
    const broker = {
      name: 'A',
      subscribe: (subscription: Subscription) => this.subscriptions.push(subscription),
      unsubscribe: () => {},
      publishDirect: (message: Message) => this.said.push(message),
    };
    const surroundings = { broker, clock: this.clock, logger: silentLogger, newId: () => 'id' };
    const taker = { config: { name: 'T' }, log: this.log, nowMs: this.clock.nowMs(), surroundings } as unknown as Taker;
    const hand = ({ sequence }: { sequence: number }) => {
      this.taken.push(sequence);
      this.log.state.lastSequence++;
      return true;
    };
    const source = { name: 'S', consumer: { name: 'c', deliver_subject: 'to.c' } };
    this.follower = new RemoteFollower(taker, source, { position, identity, hand, kind: 'source' });
    this.follower.lookAgain();
    this.asked = this.said.splice(0);
  }

  private give(at: number, message: Message): void {
    this.follower.deliver({ subscription: this.subscriptions.at(at)! } as Leg, message);
  }

  answer(json: string, headers: Uint8Array | null = null): void {
    this.give(-1, composeMessage({ subject: bytes('r'), reply: null, headers, payload: bytes(json) }));
  }

  message(sequence: number, consumerSequence: number): void {
    const reply = bytes(`$JS.ACK.S.c.1.${sequence}.${consumerSequence}.1700000000000000000.0`);
    this.give(-2, composeMessage({ subject: bytes('s'), reply, headers: null, payload: bytes('x') }));
  }

  askFlow(reply: string): void {
    const headers = status('100 FlowControl Request');
    this.give(-2, composeMessage({ subject: bytes('to.c'), reply: bytes(reply), headers, payload: NO_BYTES }));
  }

  commit(): void {
    this.log.committedSequence = this.log.state.lastSequence;
    this.follower.onCommit();
  }
}

it('answers flow control with what was taken when it was asked, not with what came since', () => {
  const play = new Play();
  play.answer('{"config":{"ack_policy":"flow_control"}}');
  play.message(5, 1);
  play.askFlow('flow');
  expect(play.said).toEqual([]);
  play.message(6, 2);
  const durable = play.log.state.lastSequence - 1;
  play.log.committedSequence = durable;
  play.follower.onCommit();
  expect(play.said).toHaveLength(1);
  const headers = readHeaders(play.said[0])!;
  expect([headers.get('Nats-Last-Consumer'), headers.get('Nats-Last-Stream')]).toEqual(['1', '5']);
  play.askFlow('more');
  play.commit();
  expect(readHeaders(play.said[1])!.get('Nats-Last-Stream')).toBe('6');
  play.follower.close();
});

it('takes all of a stream that was made anew, and acknowledges nothing of it before that', () => {
  const play = new Play({ position: 8, identity: 'old' });
  expect(readHeaders(play.asked[0])!.get('Nats-Stream-Identity')).toBe('old');
  play.message(1, 1);
  play.askFlow('flow');
  play.answer('{"config":{"ack_policy":"flow_control"}}', headerBlock([['Nats-Stream-Identity', 'new']]));
  play.commit();
  expect([play.said, play.taken]).toEqual([[], []]);
  play.clock.advance(1_000);
  expect(readHeaders(play.said.shift()!)!.get('Nats-Stream-Identity')).toBe('new');
  play.answer('{"config":{"ack_policy":"flow_control"}}', headerBlock([['Nats-Stream-Identity', 'new']]));
  play.message(1, 1);
  expect(play.taken).toEqual([1]);
  play.follower.close();
});

it.each([
  [10225, 'another stream', ['']],
  [10185, 'a server that tells no identities', [undefined]],
])('asks once more after error %s: %s', (err_code, _, wanted) => {
  const play = new Play({ position: 8, identity: 'old' });
  play.answer(JSON.stringify({ error: { code: 400, err_code, description: 'no' } }));
  expect(play.said.map((message) => readHeaders(message)?.get('Nats-Stream-Identity'))).toEqual(wanted);
  expect(play.follower.info().error).toBeUndefined();
  play.follower.close();
});

it.each(['null', '[]', 'x', '{', '{"config":5}', '{"error":5}', '{"error":{"code":"x"}}', '{"config":null}'])(
  'survives the answer %s',
  (json) => {
    const play = new Play();
    play.answer(json);
    expect(play.follower.info().error?.description).toMatch(/answer is not what it has to be|no consumer was made/);
    play.follower.close();
  },
);

it('tells the error of the other side as it was said', () => {
  expect(readAnswer('{"error":{"code":404,"err_code":10059,"description":"stream not found"},"config":{}}')).toEqual({
    error: { code: 404, err_code: 10059, description: 'stream not found' },
  });
  const play = new Play();
  play.answer('{"config":{"ack_policy":"none"}}');
  expect(play.follower.info().error?.err_code).toBeGreaterThan(0);
  play.follower.close();
});

it('takes no message by what is no place in a stream', () => {
  expect(deliveredOf('$JS.ACK.S.c.1.7.8.1700000000000000123.9')).toEqual({
    ...{ sequence: 7, consumerSequence: 8, pending: 9, timeMs: 1_700_000_000_000, timeNs: 123 },
  });
  expect(deliveredOf('$JS.ACK.domain.account.S.c.1.7.8.1700000000000000123.9.id')?.sequence).toBe(7);
  for (const [sequence, time] of [
    ['x', '1700000000000000000'],
    ['-1', '1700000000000000000'],
    ['1e300', '1700000000000000000'],
    ['1', 'soon'],
  ])
    expect(deliveredOf(`$JS.ACK.S.c.1.${sequence}.1.${time}.0`)).toBeNull();
});
