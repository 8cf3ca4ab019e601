import { describe, expect, it } from 'vitest';
import { ClosedConnections } from '../../src/client/closed-connections.js';
import type { ConnectionRecord } from '../../src/client/connection-record.js';

const record = (id: number) => ({ id }) as ConnectionRecord;
const idsOf = (closed: ClosedConnections) => Array.from(closed.entries(), ({ id }) => id);

describe('closed connections', () => {
  it('are remembered, the last so many, oldest first', () => {
    const closed = new ClosedConnections(3);
    expect(idsOf(closed)).toEqual([]);
    const seen = [1, 2, 3, 4, 5, 6, 7].map((id) => {
      closed.add(record(id));
      return idsOf(closed);
    });
    expect(seen).toEqual([[1], [1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6], [5, 6, 7]]);
  });

  it('are forgotten at once when none is to be kept', () => {
    const closed = new ClosedConnections(0);
    closed.add(record(1));
    expect(idsOf(closed)).toEqual([]);
  });
});
