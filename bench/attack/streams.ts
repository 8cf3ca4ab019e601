import { setTimeout as sleep } from 'node:timers/promises';
import { s2Chunks, s2Head } from '../../src/stream/s2.js';
import { type Attack, MB, written } from './attack.js';
import type { Field } from './field.js';
import type { Raw } from './raw.js';

const memory = (name: string, subjects: readonly string[], more: object = {}) => ({
  name,
  subjects,
  storage: 'memory',
  ...more,
});

/** Asks one thing, and answers what was said. */
async function ask(raw: Raw, operation: string, body: object | string = ''): Promise<string> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  raw.text = '';
  void raw.send(`SUB _INBOX.ask 9\r\nPUB $JS.API.${operation} _INBOX.ask ${Buffer.byteLength(text)}\r\n${text}\r\n`);
  await raw.saw('MSG _INBOX.ask');
  void raw.send('UNSUB 9\r\n');
  // What was said may come in pieces; the PONG is behind it.
  await raw.flush();
  return raw.text;
}

/** Asks for much at once, without waiting, and answers how often each error was said. */
async function askMany(field: Field, requests: Iterable<[operation: string, body: object]>): Promise<string> {
  const raw = await field.member();
  const counts = new Map<string, number>();
  let answers = 0;
  let rest = '';
  raw.socket.on('data', (chunk) => {
    // Every answer names its type first and once; what is behind the last one may not be all of it.
    const pieces = (rest + chunk.toString('latin1')).split('{"type":"io.nats.jetstream.api');
    rest = pieces.length > 1 ? `{"type":"io.nats.jetstream.api${pieces.pop()}` : pieces[0];
    for (const piece of pieces.slice(1)) note(piece);
  });
  const note = (piece: string) => {
    answers++;
    const said = /"error":.*"description":"([^"]*)"/.exec(piece)?.[1] ?? 'done';
    const what = said.replace(/\d+/g, 'n');
    counts.set(what, (counts.get(what) ?? 0) + 1);
  };
  void raw.send('SUB _INBOX.many 9\r\n');
  let count = 0;
  for (const [operation, body] of requests) {
    const text = JSON.stringify(body);
    await raw.send(`PUB $JS.API.${operation} _INBOX.many ${text.length}\r\n${text}\r\n`);
    count++;
  }
  await field.until(
    () => answers >= count - 1,
    () => `${count} answers (${answers} came)`,
    60_000,
  );
  if (rest !== '') note(rest);
  return [...counts].map(([what, times]) => `${written(times)} × ${what}`).join(', ');
}

const streams: Attack = {
  id: 'streams',
  title: '`$JS.API`: streams as fast as it goes, `max_streams` of the account 1,000',
  config: () =>
    'jetstream { max_mem: 256mb }\naccounts { A { users: [{user: a, password: a}], jetstream { max_streams: 1000 } } }\nno_auth_user: a\n',
  bounds: { peakBytes: 400 * MB, keptBytes: 200 * MB },
  async run(field) {
    const count = field.amount(5_000, 1_010);
    const ending = await askMany(
      field,
      (function* (): Generator<[string, object]> {
        for (let i = 0; i < count; i++) yield [`STREAM.CREATE.S${i}`, memory(`S${i}`, [`s.${i}.>`])];
      })(),
    );
    return { amount: `${written(count)} requests`, ending };
  },
};

const consumers: Attack = {
  id: 'consumers',
  title: '`$JS.API`: consumers as fast as it goes, `max_consumers` of the stream 2,000',
  bounds: { peakBytes: 400 * MB, keptBytes: 200 * MB },
  async run(field) {
    await ask(await field.member(), 'STREAM.CREATE.MANY', memory('MANY', ['many.>'], { max_consumers: 2_000 }));
    const count = field.amount(6_000, 2_010);
    const ending = await askMany(
      field,
      (function* (): Generator<[string, object]> {
        for (let i = 0; i < count; i++)
          yield [
            `CONSUMER.CREATE.MANY.c${i}`,
            {
              stream_name: 'MANY',
              config: { durable_name: `c${i}`, ack_policy: 'explicit', filter_subject: `many.${i}` },
            },
          ];
      })(),
    );
    return { amount: `${written(count)} requests`, ending };
  },
};

const filters: Attack = {
  id: 'filters',
  title: '`$JS.API`: a stream of 5,000 subjects, consumers with as many filters',
  bounds: { stallMs: 1_000, latencyMs: 1_500, peakBytes: 400 * MB, keptBytes: 100 * MB },
  async run(field) {
    const asker = await field.member();
    const subjects = Array.from({ length: field.amount(5_000, 100) }, (_, i) => `wide.${i}.*.>`);
    await ask(asker, 'STREAM.CREATE.WIDE', memory('WIDE', subjects));
    const count = field.amount(50);
    const ending = await askMany(
      field,
      (function* (): Generator<[string, object]> {
        for (let i = 0; i < count; i++)
          yield [
            `CONSUMER.CREATE.WIDE.c${i}`,
            { stream_name: 'WIDE', config: { durable_name: `c${i}`, ack_policy: 'none', filter_subjects: subjects } },
          ];
      })(),
    );
    return { amount: `${count} consumers of ${written(subjects.length)} filters`, ending };
  },
};

const lists: Attack = {
  id: 'stream-lists',
  title: '`$JS.API`: the longest lists, asked for without waiting for answers',
  bounds: { peakBytes: 500 * MB, keptBytes: 200 * MB, stallMs: 400, latencyMs: 600 },
  async run(field) {
    const asker = await field.member();
    const made = field.amount(500, 50);
    for (let i = 0; i < made; i++) await ask(asker, `STREAM.CREATE.L${i}`, memory(`L${i}`, [`l.${i}.>`]));
    const count = field.amount(3_000);
    const villain = await field.member();
    villain.deafen();
    void villain.send('SUB _INBOX.lists 1\r\n');
    const frames = Buffer.from('PUB $JS.API.STREAM.LIST _INBOX.lists 0\r\n\r\n'.repeat(50));
    const sent = villain.repeat(frames, count / 50);
    const ended = field.until(() => villain.ended || field.log.includes('Slow Consumer'), 'a slow consumer', 5_000);
    await Promise.race([Promise.all([sent, ended.catch(() => {})]), ended.catch(() => {})]);
    const cut = field.log.includes('Slow Consumer Detected');
    return {
      amount: `${written(count)} lists of ${written(made)} streams, not read`,
      ending: cut ? 'Slow Consumer' : 'it was not read from until it reads',
    };
  },
};

/** A chunk of an S2 stream of 21 bytes that is 64 KB of zeros. */
function bombChunk(): Buffer {
  const zeros = Buffer.alloc(65_536);
  const crc = s2Chunks(zeros).subarray(4, 8);
  const repeated = zeros.length - 1 - 4 - 260;
  // Its length, a literal zero, a copy of four from one byte before, and that again and again.
  const block = [0x80, 0x80, 0x04, 0x00, 0x00, 0x01, 0x01, 0x19, 0x00, repeated & 255, repeated >> 8];
  return Buffer.concat([Buffer.of(0, block.length + 4, 0, 0), crc, Buffer.from(block)]);
}

/** What an archive begins with whose first message says that it is so long, as an S2 stream. */
function beginningOf(bytes: number): Buffer {
  const length: number[] = [];
  for (let left = bytes; left > 0; left = Math.floor(left / 128)) length.push((left % 128) | (left >= 128 ? 128 : 0));
  // Lengths of name and headers, time, sequence; then the payload's length and the name.
  const state = [10, 0, 0, 0, 2, ...Buffer.from('state.json{}')];
  const archive = Buffer.from([...Buffer.from('NATSARC1'), ...state, 1, 0, 1, 0, ...length, 0x61]);
  return Buffer.concat([s2Head(), s2Chunks(archive)]);
}

/** Begins a restore; answers where its chunks go. */
async function beginRestore(raw: Raw, name: string): Promise<string> {
  const said = await ask(raw, `STREAM.RESTORE.${name}`, { config: memory(name, [`${name}.>`]), state: {} });
  return /"deliver_subject":"([^"]*)"/.exec(said)?.[1] ?? '';
}

const restoreBombs: Attack = {
  id: 'restore-bombs',
  title: 'snapshot restore: decompression bombs, 1 MB that is 2.8 GB',
  bounds: { peakBytes: 300 * MB },
  async run(field) {
    const bomb = bombChunk();
    const times = Math.floor((MB - 100) / bomb.length);
    const bombs = Buffer.concat([beginningOf(64 * MB), ...Array.from({ length: times }, () => bomb)]);
    const count = field.amount(10);
    const villain = await field.member();
    let told = '';
    for (let i = 0; i < count; i++) {
      const subject = await beginRestore(villain, `B${i}`);
      void villain.send(`SUB _INBOX.bomb 8\r\nPUB ${subject} _INBOX.bomb ${bombs.length}\r\n`);
      villain.text = '';
      void villain.send(Buffer.concat([bombs, Buffer.from('\r\n')]));
      await villain.saw('MSG _INBOX.bomb');
      await sleep(50);
      told = /"description":"([^"]*)"/.exec(villain.text)?.[1] ?? '';
    }
    return { amount: `${count} of them`, ending: told };
  },
};

const restoreFlood: Attack = {
  id: 'restore-flood',
  title: 'snapshot restore: many begun, chunks sent without waiting for an answer',
  bounds: { peakBytes: 280 * MB },
  async run(field) {
    const villain = await field.member();
    const begun: string[] = [];
    const wanted = field.amount(100, 10);
    for (let i = 0; i < wanted; i++) begun.push(await beginRestore(villain, `F${i}`));
    const accepted = begun.filter((subject) => subject !== '');
    const first = beginningOf(64 * MB);
    const piece = s2Chunks(Buffer.alloc(500_000));
    const pieces = field.amount(150);
    for (const subject of accepted) await villain.send(pub(subject, first));
    for (let i = 0; i < pieces; i++) for (const subject of accepted) await villain.send(pub(subject, piece));
    await villain.flush();
    // Then patience is over with all that is still waited for.
    await sleep(6_000);
    const sent = Math.round((pieces * accepted.length * piece.length) / MB);
    return {
      amount: `${wanted} begun, ${written(sent)} MB`,
      ending: `${accepted.length} × taken, ${wanted - accepted.length} × refused`,
    };
  },
};

const pub = (subject: string, payload: Uint8Array) =>
  Buffer.concat([Buffer.from(`PUB ${subject} _INBOX.r ${payload.length}\r\n`), payload, Buffer.from('\r\n')]);

const republishLoop: Attack = {
  id: 'republish-loop',
  title: 'streams that republish into each other, and into themselves',
  bounds: { stallMs: 600, latencyMs: 800 },
  async run(field) {
    const villain = await field.member();
    const said = await ask(
      villain,
      'STREAM.CREATE.SELF',
      memory('SELF', ['self.>'], { republish: { src: 'self.>', dest: 'self.again.>' } }),
    );
    const refusal = /"description":"([^"]*)"/.exec(said)?.[1] ?? 'taken';
    for (const [name, from, to] of [
      ['ONE', 'one', 'two'],
      ['TWO', 'two', 'one'],
    ]) {
      const republish = { src: `${from}.>`, dest: `${to}.>` };
      await ask(villain, `STREAM.CREATE.${name}`, memory(name, [`${from}.>`], { max_msgs: 1_000, republish }));
    }
    void villain.send(`PUB one.x 5\r\nhello\r\n`);
    await sleep(1_500);
    await villain.flush();
    const info = await ask(villain, 'STREAM.INFO.ONE');
    const last = Number(/"last_seq":(\d+)/.exec(info)?.[1]);
    return {
      amount: 'one message',
      ending: `itself: ${refusal}; each other: ${written(last)} times, until its headers are too long`,
    };
  },
};

const compressedBlocks: Attack = {
  id: 'compressed-blocks',
  title: 'a stream that is compressed: messages of 1 MB of zeros, read back all at once',
  bounds: { peakBytes: 500 * MB, keptBytes: 120 * MB },
  async run(field) {
    const asker = await field.member();
    await ask(asker, 'STREAM.CREATE.ZEROS', {
      ...memory('ZEROS', ['zeros.>']),
      storage: 'file',
      compression: 's2',
      allow_direct: true,
    });
    const count = field.amount(300);
    const villain = await field.member();
    const frame = pub('zeros.x', Buffer.alloc(MB - 1_000));
    await villain.repeat(frame, count);
    await villain.flush();
    // They are being written.
    for (let stored = -1, seen = -2; stored <= 0 || stored !== seen; await sleep(200)) {
      seen = stored;
      stored = Number(/"messages":(\d+)/.exec(await ask(asker, 'STREAM.INFO.ZEROS'))?.[1]);
    }
    const readers = await Promise.all(Array.from({ length: 10 }, () => field.member()));
    await Promise.all(
      readers.map(async (reader) => {
        void reader.send('SUB _INBOX.zeros 1\r\n');
        const wish = JSON.stringify({ seq: 1, batch: count, next_by_subj: 'zeros.>' });
        await reader.send(`PUB $JS.API.DIRECT.GET.ZEROS _INBOX.zeros ${wish.length}\r\n${wish}\r\n`);
        await reader.saw('204 EOB');
      }),
    );
    const bytes = readers.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
    return { amount: `${count} messages, read by 10`, ending: `${Math.round(bytes / MB)} MB were read` };
  },
};

/** What streams can be asked for. */
export const streamAttacks: readonly Attack[] = [
  streams,
  consumers,
  filters,
  lists,
  restoreBombs,
  restoreFlood,
  republishLoop,
  compressedBlocks,
];
