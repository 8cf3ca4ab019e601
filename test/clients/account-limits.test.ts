import { connect } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { startWeirOn } from '../kit/judged.js';

const DEADLINE_MS = 10_000;

describe('connections of an account', () => {
  it('that are too many after a reload are closed, the newest first, and others are not', async () => {
    const config = (max: number) => `accounts {
      A { users: [{ user: a, password: p }], limits: { max_conn: ${max} } }
      B { users: [{ user: b, password: p }], limits: { max_conn: 2 } }
    }`;
    const weir = await startWeirOn(config(3));
    const opened = [];
    try {
      for (const user of ['a', 'b', 'a', 'b', 'a'])
        opened.push(await connect({ servers: weir.url, user, pass: 'p', reconnect: false, timeout: DEADLINE_MS }));
      await weir.reload(config(1));
      const [first, b1, second, b2, third] = opened;
      const ends = await Promise.all([second.closed(), third.closed()]);
      const why = 'maximum account active connections exceeded';
      expect(ends.map((end) => (end as Error).message)).toEqual([why, why]);
      for (const stays of [first, b1, b2]) await stays.flush();
      await expect(
        connect({ servers: weir.url, user: 'a', pass: 'p', reconnect: false, timeout: DEADLINE_MS }),
      ).rejects.toThrow(/maximum account active connections exceeded/i);
    } finally {
      await Promise.all(opened.map((connection) => connection.close()));
      await weir.stop();
    }
  });
});
