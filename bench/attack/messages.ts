import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, MB, written } from './attack.js';
import type { Field } from './field.js';
import { endings, inTurns, type Raw } from './raw.js';

const controlLines: Attack = {
  id: 'control-lines',
  title: 'control lines without an end',
  async run(field) {
    const raws = field.crowd(field.amount(500));
    const line = Buffer.from(`CONNECT {}\r\nSUB ${'a'.repeat(MB)}`);
    for (const raw of raws) void raw.send(line);
    const ended = await Promise.all(raws.map((raw) => raw.end()));
    return { amount: `${written(raws.length)} of 1 MB`, ending: endings(ended) };
  },
};

const payloads: Attack = {
  id: 'payloads',
  title: 'payloads beyond `max_payload`, and sizes that are none',
  async run(field) {
    const sizes = ['1048577', '999999999', '99999999999999999999', '-1', '1e9', '0x10', '1 2 3'];
    const raws = field.crowd(field.amount(1_000, sizes.length));
    for (const [i, raw] of raws.entries()) void raw.send(`CONNECT {}\r\nPUB foo ${sizes[i % sizes.length]}\r\n`);
    const ended = await Promise.all(raws.map((raw) => raw.end()));
    return { amount: `${written(raws.length)}`, ending: endings(ended) };
  },
};

const headers: Attack = {
  id: 'headers',
  title: 'header bombs: 100,000 headers in a message that a stream and a subscriber take',
  async run(field) {
    const asker = await field.member();
    await request(asker, 'STREAM.CREATE.BOMBS', { name: 'BOMBS', subjects: ['bombs.>'], storage: 'memory' });
    const [villain, delivered, refused] = await field.listener('bombs.>', 'HMSG bombs.', '"error":');
    void villain.send('SUB answers.> 2\r\n');
    const block = `NATS/1.0\r\n${'a: b\r\n'.repeat(170_000).slice(0, 600_000)}\r\n`;
    const frame = Buffer.from(`HPUB bombs.x answers.x ${block.length} ${block.length}\r\n${block}\r\n`);
    const count = field.amount(200);
    await villain.repeat(frame, count);
    await villain.flush();
    return {
      amount: `${written(count)} messages of 600 KB`,
      ending: `${written(delivered())} × delivered, ${written(refused())} × refused by the stream`,
    };
  },
};

async function request(raw: Raw, operation: string, body: object | string): Promise<void> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  await raw.send(`SUB _INBOX.x 9\r\nPUB $JS.API.${operation} _INBOX.x ${Buffer.byteLength(text)}\r\n${text}\r\n`);
  await raw.saw('MSG _INBOX.x');
}

/** Deep, wide, and long: what JSON parsers are asked least often. */
const BOMBS = [
  (bytes: number) => '['.repeat(bytes / 2) + ']'.repeat(bytes / 2),
  (bytes: number) => '{"a":'.repeat(bytes / 6) + '1' + '}'.repeat(bytes / 6),
  (bytes: number) => `{${Array.from({ length: bytes / 12 }, (_, i) => `"k${i.toString(36)}":1`).join()}}`,
  (bytes: number) => `{"name":"${'\\u0000'.repeat(bytes / 7)}"}`,
  (bytes: number) => `{"config":${'{"metadata":'.repeat(bytes / 14)}1${'}'.repeat(bytes / 14)}}`,
  (bytes: number) => `[${'1e999,'.repeat(bytes / 7)}1]`,
  (bytes: number) => '9'.repeat(bytes - 1),
];
const SUBJECTS = [
  '$JS.API.STREAM.CREATE.A',
  '$JS.API.STREAM.UPDATE.A',
  '$JS.API.CONSUMER.CREATE.A.B',
  '$JS.API.STREAM.NAMES',
  '$JS.API.STREAM.RESTORE.A',
  '$JS.API.CONSUMER.MSG.NEXT.A.B',
  '$WEIR.API.ATTACHMENT.CREATE.a',
  '$WEIR.API.PLUGIN.INFO.a',
  '$SYS.REQ.SERVER.PING.CONNZ',
  '$SYS.REQ.ACCOUNT.PING.CONNZ',
];

const jsonConnect: Attack = {
  id: 'json-connect',
  title: 'JSON bombs in CONNECT: deep, wide, long',
  async run(field) {
    const raws = field.crowd(field.amount(2_000, BOMBS.length));
    for (const [i, raw] of raws.entries()) void raw.send(`CONNECT ${BOMBS[i % BOMBS.length](3_900)}\r\nPING\r\n`);
    const answered = await Promise.all(raws.map((raw) => raw.saw('PONG')));
    const inside = answered.filter(Boolean).length;
    return {
      amount: `${written(raws.length)} of 4 KB`,
      ending: `${written(raws.length - inside)} × closed, ${written(inside)} × unknown fields left out`,
    };
  },
};

const jsonRequests: Attack = {
  id: 'json-requests',
  title: 'JSON bombs of 1 MB to `$JS.API`, `$WEIR.API` and `$SYS`: deep, wide, long',
  bounds: { stallMs: 400, latencyMs: 600, peakBytes: 300 * MB },
  async run(field) {
    const [villain, told, nobody] = await field.listener('_INBOX.>', '"error":', 'NATS/1.0 503');
    const count = field.amount(350, BOMBS.length);
    for (let i = 0; i < count; i++) {
      const bomb = BOMBS[i % BOMBS.length](MB - 16);
      await villain.send(`PUB ${SUBJECTS[i % SUBJECTS.length]} _INBOX.${i} ${bomb.length}\r\n${bomb}\r\n`);
    }
    await villain.flush();
    return {
      amount: `${written(count)} requests`,
      ending: `${written(told())} × answered with an error, ${written(nobody())} × by nobody`,
    };
  },
};

const distinctSubjects: Attack = {
  id: 'distinct-subjects',
  title: 'subjects that never come again',
  async run(field) {
    const [villain, came] = await field.listener('distinct.>', 'MSG distinct.');
    const count = field.amount(2_000_000);
    const batch = 2_000;
    for (let at = 0; at < count; at += batch) {
      let frames = '';
      for (let i = at; i < at + batch; i++) frames += `PUB distinct.${i.toString(36)}.${'x'.repeat(40)} 1\r\nx\r\n`;
      await villain.send(frames);
    }
    await villain.flush();
    return {
      amount: `${written(count)} messages`,
      ending: `${written(came())} × delivered; the route cache is bounded`,
    };
  },
};

const noResponders: Attack = {
  id: 'no-responders',
  title: 'requests that nobody answers, with reply subjects of their own',
  async run(field) {
    const [villain, told] = await field.listener('_INBOX.>', 'NATS/1.0 503');
    const count = field.amount(1_000_000);
    const batch = 2_000;
    for (let at = 0; at < count; at += batch) {
      let frames = '';
      for (let i = at; i < at + batch; i++) frames += `PUB nobody.${i % 50} _INBOX.a.${i.toString(36)} 0\r\n\r\n`;
      await villain.send(frames);
    }
    await villain.flush();
    return { amount: `${written(count)} requests`, ending: `${written(told())} × told that nobody is there` };
  },
};

const slowConsumers: Attack = {
  id: 'slow-consumers',
  title: 'subscribers that read nothing, `max_pending: 16mb`',
  config: () => 'max_pending: 16mb\n',
  bounds: { peakBytes: 600 * MB, stallMs: 600, latencyMs: 900 },
  async run(field) {
    const count = field.amount(30);
    const deaf = await Promise.all(Array.from({ length: count }, () => field.member()));
    for (const raw of deaf) {
      void raw.send('SUB flood 1\r\n');
      await raw.flush();
      raw.deafen();
    }
    const villain = await field.member();
    const frame = Buffer.from(`PUB flood 65536\r\n${'x'.repeat(65_536)}\r\n`);
    const cut = () => field.log.split('Slow Consumer Detected').length - 1;
    let sent = 0;
    for (; cut() < count && sent < 4_000; sent += 20) await villain.repeat(frame, 20);
    await field.until(() => cut() >= count, 'slow consumers to be cut off');
    return {
      amount: `${count} subscribers, ${Math.round((sent * 65_536) / MB)} MB`,
      ending: `${cut()} × Slow Consumer`,
    };
  },
};

async function subscribed(field: Field): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${field.monitorPort}/subsz`);
  return ((await answer.json()) as { num_subscriptions: number }).num_subscriptions;
}

const subscriptions: Attack = {
  id: 'subscriptions',
  title: 'subscriptions, of one client with `max_subscriptions: 0` (no limit)',
  config: () => 'max_subscriptions: 0\nhttp: -1\n',
  bounds: { peakBytes: 700 * MB, keptBytes: 120 * MB, stallMs: 600, latencyMs: 600 },
  async run(field) {
    const villain = await field.member();
    const count = field.amount(500_000);
    const kinds = ['a.$.b', '*.$.>', '$.>', 'deep.a.b.c.d.e.f.$', '*.*.*.$', 'q.$ group'];
    for (let at = 0; at < count; at += 1_000) {
      let lines = '';
      for (let i = at; i < at + 1_000; i++)
        lines += `SUB ${kinds[i % kinds.length].replace('$', i.toString(36))} ${i}\r\n`;
      await villain.send(lines);
    }
    await villain.flush();
    const bytes = field.residentBytes();
    const open = await subscribed(field);
    villain.close();
    const endsMs = Date.now() + 30_000;
    while ((await subscribed(field)) > open - count && Date.now() < endsMs) await sleep(100);
    const left = (await subscribed(field)) - open + count;
    return {
      amount: `${written(count)} subscriptions`,
      ending: `${written(Math.round(bytes / MB))} MB while they are there; ${left > 0 ? `${written(left)} stay` : 'gone with the client'}`,
    };
  },
};

const subscriptionLimit: Attack = {
  id: 'subscription-limit',
  title: 'subscriptions beyond `max_subscriptions`',
  config: () => 'max_subscriptions: 1000\n',
  async run(field) {
    const count = field.amount(200_000, 2_000);
    const villain = await field.member();
    for (let at = 0; at < count; at += 1_000)
      await villain.send(Array.from({ length: 1_000 }, (_, i) => `SUB s.${at + i} ${at + i}\r\n`).join(''));
    await villain.saw('maximum subscriptions exceeded');
    return { amount: written(count), ending: villain.errorText };
  },
};

const churn: Attack = {
  id: 'interest-churn',
  title: 'interest that comes and goes while others publish',
  async run(field) {
    const count = field.amount(200_000);
    const publisher = await field.member();
    const villains = await Promise.all([0, 1, 2, 3].map(() => field.member()));
    let done = false;
    const publishing = (async () => {
      const frames = Buffer.from(Array.from({ length: 500 }, (_, i) => `PUB churn.${i} 1\r\nx\r\n`).join(''));
      while (!done) await publisher.send(frames);
    })();
    await inTurns(count / 1_000, villains.length, async (turn) => {
      let lines = '';
      for (let i = 0; i < 1_000; i++) lines += `SUB ${i % 3 === 0 ? '>' : `churn.${i}`} ${i}\r\nUNSUB ${i}\r\n`;
      await villains[turn % villains.length].send(lines);
    });
    for (const villain of villains) await villain.flush();
    done = true;
    await publishing;
    return { amount: `${written(count)} SUB and UNSUB`, ending: 'all were done' };
  },
};

/** Those who are in, and send what they please. */
export const messageAttacks: readonly Attack[] = [
  controlLines,
  payloads,
  headers,
  jsonConnect,
  jsonRequests,
  distinctSubjects,
  noResponders,
  slowConsumers,
  subscriptions,
  subscriptionLimit,
  churn,
];
