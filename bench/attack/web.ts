import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { type Attack, MB, written } from './attack.js';
import type { Field } from './field.js';
import { inTurns, type Raw } from './raw.js';

const WEBSOCKET = 'websocket { port: -1, no_tls: true, compression: true, handshake_timeout: "2s" }\n';

/** A WebSocket as it is spoken by those who want to break it. */
async function upgraded(field: Field): Promise<Raw> {
  const raw = field.raw(field.websocketPort);
  void raw.send(
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n` +
      'Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\r\n',
  );
  await raw.saw('\r\n\r\n');
  return raw;
}

interface FrameHead {
  opcode: number;
  last?: boolean;
  compressed?: boolean;
  masked?: boolean;
  /** What the frame says its length is. */
  length?: bigint;
}

function frame(payload: Uint8Array, { opcode, last = true, compressed = false, masked = true, length }: FrameHead) {
  const head = Buffer.alloc(masked ? 14 : 10);
  head[0] = (last ? 0x80 : 0) | (compressed ? 0x40 : 0) | opcode;
  head[1] = (masked ? 0x80 : 0) | 127;
  head.writeBigUInt64BE(length ?? BigInt(payload.length), 2);
  // A mask of zeros: the payload stays as it is.
  return Buffer.concat([head, payload]);
}

const BINARY = 2;

const handshakes: Attack = {
  id: 'websocket-handshakes',
  title: 'WebSocket: upgrade requests that are never finished, headers without an end',
  config: () => WEBSOCKET,
  async run(field) {
    const raws = field.crowd(field.amount(2_000), field.websocketPort);
    for (const [i, raw] of raws.entries())
      void raw.send(`GET / HTTP/1.1\r\nHost: x\r\n${i % 2 === 0 ? 'Upg' : 'a: b\r\n'.repeat(20_000)}`);
    await Promise.all(raws.map((raw) => raw.end()));
    const status = (code: string) => raws.filter(({ text }) => text.includes(` ${code} `)).length;
    return {
      amount: `${written(raws.length)} connections`,
      ending: `${written(status('408'))} × 408 after the timeout, ${written(status('431'))} × 431 Header Fields Too Large`,
    };
  },
};

const deflated: Attack = {
  id: 'websocket-bombs',
  title: 'WebSocket: decompression bombs',
  config: () => WEBSOCKET,
  bounds: { peakBytes: 300 * MB },
  async run(field) {
    const bomb = deflateRawSync(Buffer.alloc(256 * MB), { level: 9 });
    const count = field.amount(40);
    let closed = 0;
    await inTurns(count, 10, async () => {
      const raw = await upgraded(field);
      void raw.send(frame(bomb, { opcode: BINARY, compressed: true }));
      await raw.end();
      closed++;
    });
    const each = `${Math.round(bomb.length / 1024)} KB that are 256 MB`;
    return { amount: `${count} × ${each}`, ending: `${closed} × closed with 1009 once it was too much` };
  },
};

const frames: Attack = {
  id: 'websocket-frames',
  title: 'WebSocket: fragments without an end, lengths of 2⁶³, frames without a mask, pings as fast as it goes',
  config: () => WEBSOCKET,
  async run(field) {
    const empty = new Uint8Array(0);
    const fragments = Buffer.concat([
      frame(empty, { opcode: BINARY, last: false }),
      ...Array.from({ length: 20_000 }, () => frame(empty, { opcode: 0, last: false })),
    ]);
    const bombs = [
      fragments,
      frame(empty, { opcode: BINARY, length: 2n ** 63n }),
      frame(empty, { opcode: BINARY, length: 2n ** 40n }),
      frame(empty, { opcode: BINARY, masked: false }),
      frame(empty, { opcode: 11 }),
    ];
    const count = field.amount(500, bombs.length);
    let closed = 0;
    await inTurns(count, 20, async (i) => {
      const raw = await upgraded(field);
      void raw.send(bombs[i % bombs.length]);
      await raw.end();
      closed++;
    });
    const pinger = await upgraded(field);
    pinger.deafen();
    const pings = Buffer.concat(Array.from({ length: 500 }, () => frame(Buffer.alloc(125), { opcode: 9 })));
    for (let i = 0; i < field.amount(400); i++) {
      const sent = pinger.send(pings);
      await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 200))]);
      if (pinger.socket.writableLength > 8 * MB) break;
    }
    return {
      amount: `${written(count)} connections`,
      ending: `${written(closed)} × closed; a pinger that reads nothing is not read`,
    };
  },
};

const MONITOR = 'http: -1\n';

const slowRequests: Attack = {
  id: 'monitor-slow',
  title: 'monitoring: requests that are never finished, more connections than it takes',
  config: () => MONITOR,
  async run(field) {
    const raws = field.crowd(field.amount(1_000), field.monitorPort);
    for (const raw of raws) void raw.send('GET /varz HTTP/1.1\r\nHost: x\r\nA: ');
    await Promise.all(raws.map((raw) => raw.end(60_000)));
    const timedOut = raws.filter(({ text }) => text.includes(' 408 ')).length;
    return {
      amount: `${written(raws.length)} connections`,
      ending: `256 at a time: ${written(timedOut)} × 408 after the timeout, the others were closed at once`,
    };
  },
};

const hugeQueries: Attack = {
  id: 'monitor-queries',
  title: 'monitoring: the largest answers there are, asked for by many at the same time',
  config: () => MONITOR,
  bounds: { stallMs: 600, latencyMs: 900, peakBytes: 500 * MB },
  async run(field) {
    const connections = field.amount(500);
    const members = await Promise.all(Array.from({ length: connections }, () => field.member()));
    for (const member of members) {
      void member.send(Array.from({ length: 100 }, (_, i) => `SUB some.subject.${i} ${i}\r\n`).join(''));
      await member.flush();
    }
    const paths = [
      '/connz?subs=detail&limit=100000&sort=subs',
      '/subsz?subs=1&limit=1000000',
      `/connz?${'a=b&'.repeat(3_000)}`,
      '/connz?limit=-1&offset=99999999999',
      '/metrics',
      '/accountz?acc=$G',
    ];
    const count = field.amount(120, paths.length);
    let bytes = 0;
    await inTurns(count, 20, async (i) => {
      const raw = field.raw(field.monitorPort);
      void raw.send(`GET ${paths[i % paths.length]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      await raw.end();
      bytes += raw.receivedBytes;
    });
    return {
      amount: `${written(count)} requests, 20 at a time; ${written(connections)} clients with 100 subscriptions each`,
      ending: `all were answered, with ${Math.round(bytes / MB)} MB`,
    };
  },
};

/** By HTTP and WebSocket. */
export const webAttacks: readonly Attack[] = [handshakes, deflated, frames, slowRequests, hugeQueries];
