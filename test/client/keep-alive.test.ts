import { beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.js';
import type { ClientContext } from '../../src/client/context.js';
import { KeepAlive } from '../../src/client/keep-alive.js';
import { DEFAULT_LIMITS } from '../../src/client/limits.js';
import { ManualClock } from '../kit/manual-clock.js';

const HOUR_MS = 3_600_000;

describe('keep-alive', () => {
  let clock: ManualClock;
  let keepAlive: KeepAlive;
  let pingsAt: number[];
  let closed: string[];
  let startedMs: number;
  const session = {
    label: 'test',
    lastActivityMs: 0,
    send: () => void pingsAt.push(clock.nowMs() - startedMs),
    close: (reason: string, text?: string) => void closed.push(`${reason}: ${text}`),
  };
  const context = {
    limits: { ...DEFAULT_LIMITS, pingIntervalMs: 120_000, pingsOutMax: 2 },
    logger: silentLogger,
    random: () => 0.5,
    staleConnections: 0,
  };

  /** The peer says something, and PONG if it was asked. */
  function hear(pong: boolean): void {
    session.lastActivityMs = clock.nowMs();
    if (pong) keepAlive.onPong();
  }

  beforeEach(() => {
    clock = new ManualClock();
    startedMs = clock.nowMs();
    session.lastActivityMs = startedMs;
    pingsAt = [];
    closed = [];
    context.staleConnections = 0;
    keepAlive = new KeepAlive(session, Object.assign(context, { clock }) as never as ClientContext);
  });

  it('pings early once, to learn the round trip time', () => {
    keepAlive.start();
    clock.advance(2_199);
    expect(pingsAt).toEqual([]);
    clock.advance(1);
    expect(pingsAt).toEqual([2_200]);
    clock.advance(3);
    hear(true);
    expect(keepAlive.rttNs).toBe(3e6);
  });

  it('pings early only as early as the interval', () => {
    context.limits.pingIntervalMs = 100;
    keepAlive.start();
    clock.advance(110);
    expect(pingsAt).toEqual([110]);
    context.limits.pingIntervalMs = 120_000;
  });

  it('asks nothing while data comes, but for the round trip time each hour', () => {
    keepAlive.start();
    clock.advance(2_200);
    clock.advance(1);
    hear(true);
    for (let i = 0; i < HOUR_MS / 60_000; i++) {
      clock.advance(60_000);
      hear(false);
    }
    expect(pingsAt).toEqual([2_200]);
    clock.advance(120_000);
    expect(pingsAt).toHaveLength(2);
  });

  it('asks a silent peer in each interval, and stays as long as it answers', () => {
    keepAlive.start();
    clock.advance(2_200);
    hear(true);
    for (let i = 1; i <= 20; i++) {
      clock.advance(120_000);
      expect(pingsAt).toHaveLength(i + 1);
      hear(true);
    }
    expect(closed).toEqual([]);
  });

  it('closes after two pings without an answer, and stops', () => {
    keepAlive.start();
    clock.advance(2_200 + 120_000);
    expect(pingsAt).toHaveLength(2);
    expect(closed).toEqual([]);
    clock.advance(120_000);
    expect(closed).toEqual(['Stale Connection: Stale Connection']);
    expect(context.staleConnections).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('is not content with data where a PONG is due', () => {
    keepAlive.start();
    for (let i = 0; i < 10; i++) {
      clock.advance(60_000);
      hear(false);
    }
    expect(closed).toHaveLength(1);
  });

  it('closes who does not say who it is in time', () => {
    keepAlive.awaitAuthentication();
    clock.advance(1_999);
    expect(closed).toEqual([]);
    clock.advance(1);
    expect(closed).toEqual(['Authentication Timeout: Authentication Timeout']);
  });

  it('has no more to say after it was stopped or the client came in', () => {
    keepAlive.awaitAuthentication();
    keepAlive.start();
    clock.advance(2_100);
    expect(closed).toEqual([]);
    keepAlive.stop();
    clock.advance(HOUR_MS);
    expect(pingsAt).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
