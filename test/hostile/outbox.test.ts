import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  BOX_BYTES,
  CONTROL_AT,
  emit,
  type GuestParts,
  guest,
  INBOX_AT,
  Kind,
  log,
  metric,
  OUTBOX_AT,
  record,
  records,
  words,
  writingGuest,
} from './guest.js';
import { Stage } from './stage.js';

const PASS = 0;
const REPLACE = 2;
const REJECT = 3;
const GUEST_ERROR = -5;

interface Case {
  verdict?: number;
  outbox: Uint8Array;
  cause: string;
  text: RegExp;
  code?: number;
  message?: string;
  definition?: object;
}

const granted = { grants: { emit: ['out.>'], log: true, metric: true } };
const NO_HEADERS = /the new headers are not a block/;
const NO_SUBJECT = /is not a valid subject/;
const RESERVED = /is reserved: plugins may not write to subjects that begin with/;

/** An emit whose four lengths lie. */
function lyingEmit(...lengths: number[]): Uint8Array {
  return record(Kind.emit, Buffer.concat([words(...lengths), Buffer.from('out.axxxx')]));
}

const MALFORMED: Record<string, Case> = {
  'a head that is cut off': {
    outbox: words(3),
    cause: 'output',
    text: /a record's head at byte 0 of the outbox is cut off/,
  },
  'a second head that is cut off': {
    outbox: records(record(Kind.payload, 'ab'), words(4)),
    cause: 'output',
    text: /at byte 12 .* is cut off/,
  },
  'a record that ends behind the outbox': {
    outbox: record(Kind.payload, 'ab', 5),
    cause: 'output',
    text: /has 5 bytes and ends behind/,
  },
  'a record of 4 GiB': {
    outbox: record(Kind.payload, 'ab', 0xffffffff),
    cause: 'output',
    text: /has 4294967295 bytes and ends behind/,
  },
  'a record of nearly 4 GiB': {
    outbox: record(Kind.payload, 'ab', 0xfffffff8),
    cause: 'output',
    text: /has 4294967288 bytes and ends behind/,
  },
  'a record of an unknown kind': {
    outbox: record(10, 'x'),
    cause: 'output',
    text: /has the kind 10; kinds 1 to 9 are allowed/,
  },
  'a record of kind 0': { outbox: words(0, 0), cause: 'output', text: /has the kind 0/ },
  'a record of the largest kind': { outbox: words(0xffffffff, 0), cause: 'output', text: /has the kind 4294967295/ },
  'two payloads': {
    outbox: records(record(Kind.payload, 'a'), record(Kind.payload, 'b')),
    cause: 'output',
    text: /a second payload record/,
  },
  'two subjects': {
    outbox: records(record(Kind.subject, 'a'), record(Kind.subject, 'b')),
    cause: 'output',
    text: /a second subject record/,
  },
  'two header blocks': {
    outbox: records(record(Kind.headers, ''), record(Kind.headers, '')),
    cause: 'output',
    text: /a second headers record/,
  },
  'two replies': {
    outbox: records(record(Kind.reply, ''), record(Kind.reply, '')),
    cause: 'output',
    text: /a second reply record/,
  },
  'two errors, the first without a text': {
    outbox: records(record(Kind.error, ''), record(Kind.error, 'b')),
    cause: 'output',
    text: /a second error record/,
  },
  'an emit of 15 bytes': {
    outbox: record(Kind.emit, 'x'.repeat(15)),
    cause: 'output',
    text: /shorter than its four lengths/,
  },
  'an emit that promises one byte too many': {
    outbox: lyingEmit(5, 0, 0, 5),
    cause: 'output',
    text: /promises 26 bytes and has 25/,
  },
  'an emit whose lengths add up to a little over 4 GiB': {
    outbox: lyingEmit(0xffffffff, 0xffffffff, 0xffffffff, 12),
    cause: 'output',
    text: /promises 12884901913 bytes and has 25/,
  },
  'a log without a level': { outbox: record(Kind.log, 'abc'), cause: 'output', text: /shorter than its level/ },
  'a log of level 4': { outbox: log(4, 'x'), cause: 'output', text: /has the level 4/ },
  'a metric of 11 bytes': {
    outbox: record(Kind.metric, 'x'.repeat(11)),
    cause: 'output',
    text: /shorter than its type and value/,
  },
  'a metric of type 3': { outbox: metric(3, 'm', 1), cause: 'output', text: /has the type 3/ },
  'a metric that is NaN': { outbox: metric(0, 'm', Number.NaN), cause: 'output', text: /has the value NaN/ },
  'a metric that is infinite': { outbox: metric(1, 'm', -Infinity), cause: 'output', text: /has the value -Infinity/ },
  'a metric without a name': { outbox: metric(0, '', 1), cause: 'output', text: /a metric is named ""/ },
  'a metric named with a line end': {
    outbox: metric(0, 'a\nb 1', 1),
    cause: 'output',
    text: /a metric is named "a\\nb 1"/,
  },
  'a metric whose name has 50,000 characters': {
    outbox: metric(0, 'm'.repeat(50_000), 1),
    cause: 'output',
    text: /^a metric is named "m{100}"; expected/,
  },
  '1,001 records': {
    outbox: records(...new Array(1001).fill(log(0, ''))),
    cause: 'output',
    text: /more than 1000 records/,
  },
  'an outbox longer than it is': {
    outbox: new Uint8Array(0),
    message: `(i32.store (i32.const ${CONTROL_AT + 16}) (i32.const ${BOX_BYTES + 4}))`,
    cause: 'output',
    text: /the outbox holds 65540 bytes; at most 65536 are allowed/,
  },
  'an outbox of 4 GiB': {
    outbox: new Uint8Array(0),
    message: `(i32.store (i32.const ${CONTROL_AT + 16}) (i32.const -1))`,
    cause: 'output',
    text: /the outbox holds 4294967295 bytes/,
  },
  'an outbox over a budget that an operator set': {
    outbox: record(Kind.payload, 'x'.repeat(100)),
    definition: { budget: { output_bytes: 64 } },
    cause: 'output',
    text: /the outbox holds 108 bytes; at most 64 are allowed/,
  },
  'verdict 4': { verdict: 4, outbox: new Uint8Array(0), cause: 'guest-error', text: /answered 4; verdicts are 0 to 3/ },
  'the largest verdict': {
    verdict: 0x7fffffff,
    outbox: new Uint8Array(0),
    cause: 'guest-error',
    text: /answered 2147483647/,
  },
  'an error without a text': {
    verdict: GUEST_ERROR,
    outbox: new Uint8Array(0),
    cause: 'guest-error',
    text: /^weir_message answered -5$/,
  },
  'an error with line ends in its text': {
    verdict: GUEST_ERROR,
    outbox: record(Kind.error, 'no\r\nWeir-Cause: none\r\n\r\nbody'),
    cause: 'guest-error',
    text: /^weir_message answered -5: no Weir-Cause: none body$/,
  },
  'an error of 60,000 characters': {
    verdict: GUEST_ERROR,
    outbox: record(Kind.error, 'e'.repeat(60_000)),
    cause: 'guest-error',
    text: /^weir_message answered -5: e{900,1000}…$/,
  },
  'an error that is no UTF-8': {
    verdict: GUEST_ERROR,
    outbox: record(Kind.error, Uint8Array.of(0xff, 0xfe)),
    cause: 'guest-error',
    text: /answered -5: ��/,
  },
  'a reject with the code 200': {
    verdict: REJECT,
    code: 200,
    outbox: new Uint8Array(0),
    cause: 'guest-error',
    text: /rejected with the code 200; 400 to 599/,
  },
  'a reject with the code 600': {
    verdict: REJECT,
    code: 600,
    outbox: new Uint8Array(0),
    cause: 'guest-error',
    text: /the code 600/,
  },
  'a reject with a code that looks negative': {
    verdict: REJECT,
    code: -1,
    outbox: new Uint8Array(0),
    cause: 'guest-error',
    text: /the code 4294967295/,
  },
  'a log that was not granted': {
    outbox: log(1, 'x'),
    definition: { grants: {} },
    cause: 'guest-error',
    text: /the effect "log" is not granted/,
  },
  'a metric that was not granted': {
    outbox: metric(0, 'm', 1),
    definition: { grants: {} },
    cause: 'guest-error',
    text: /the effect "metric" is not granted/,
  },
  'an emit that was not granted': {
    outbox: emit('out.a'),
    definition: { grants: {} },
    cause: 'guest-error',
    text: /the effect "emit" is not granted/,
  },
};

/** Subjects and headers that would steer a server, or write a line of the protocol. */
const INJECTIONS: Record<string, Case> = {};
for (const [name, subject, text] of [
  ['nothing', '', NO_SUBJECT],
  ['a wildcard', 'a.*', NO_SUBJECT],
  ['a full wildcard', '>', NO_SUBJECT],
  ['an empty token', 'a..b', NO_SUBJECT],
  ['a dot at the end', 'a.', NO_SUBJECT],
  ['a space', 'a b', NO_SUBJECT],
  ['a tab', 'a\tb', NO_SUBJECT],
  ['a line end and a message of its own', 'a 0\r\n\r\nMSG admin 1 2\r\nhi', NO_SUBJECT],
  ['a NUL', 'a\0b', NO_SUBJECT],
  ['the system', '$SYS.REQ.SERVER.PING', RESERVED],
  ['the control API', '$WEIR.API.ATTACHMENT.DELETE.victim', RESERVED],
  ['the stream API', '$JS.API.STREAM.DELETE.orders', RESERVED],
  ['a link of servers', '_GR_.x', RESERVED],
  [
    '60,000 characters',
    `a.${'b c'.repeat(20_000)}`,
    /^the (new|emitted) subject "a\.(b c){30,33}.{0,2}"… is not a valid subject$/,
  ],
] as const) {
  INJECTIONS[`a new subject with ${name}`] = {
    verdict: REPLACE,
    outbox: record(Kind.subject, subject),
    cause: 'output',
    text,
  };
  INJECTIONS[`an emit to ${name}`] = {
    outbox: emit(subject),
    cause: 'output',
    text,
    definition: { grants: { emit: ['>'] } },
  };
  if (subject === '') continue;
  INJECTIONS[`a new reply with ${name}`] = {
    verdict: REPLACE,
    outbox: record(Kind.reply, subject),
    cause: 'output',
    text: name.startsWith('60') ? /^the new reply subject .{0,130}… is not/ : text,
  };
  INJECTIONS[`an emit that asks ${name} for an answer`] = {
    outbox: emit('out.a', '', { reply: subject }),
    cause: 'output',
    text: name.startsWith('60') ? /^the reply subject of an emit .{0,130}… is not/ : text,
    definition: granted,
  };
}
for (const [name, headers] of [
  ['no version', 'A: b\r\n\r\n'],
  ['no blank line', 'NATS/1.0\r\nA: b\r\n'],
  ['a body behind the blank line', 'NATS/1.0\r\nA: b\r\n\r\nMSG admin 1 2\r\nhi\r\n'],
  ['two blank lines', 'NATS/1.0\r\n\r\n\r\n\r\n'],
  ['one letter', 'N'],
]) {
  INJECTIONS[`new headers with ${name}`] = {
    verdict: REPLACE,
    outbox: record(Kind.headers, headers),
    cause: 'output',
    text: NO_HEADERS,
  };
  INJECTIONS[`an emit whose headers have ${name}`] = {
    outbox: emit('out.a', '', { headers }),
    cause: 'output',
    text: /the headers of an emit are not a header block/,
    definition: granted,
  };
}
INJECTIONS['an emit beside what was granted'] = {
  outbox: emit('outer.a'),
  cause: 'guest-error',
  text: /emitting to "outer.a" is not granted; granted is out.>/,
};
INJECTIONS['nine emits'] = {
  outbox: records(...new Array(9).fill(emit('out.a'))),
  cause: 'output',
  text: /9 emits for one message; at most 8/,
};
INJECTIONS['one emit of nine that is not granted: none is made'] = {
  outbox: records(emit('out.a'), emit('else.a')),
  cause: 'guest-error',
  text: /emitting to "else.a" is not granted/,
};

describe('what guests write', () => {
  let stage: Stage;
  let number = 0;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  it.each(Object.entries({ ...MALFORMED, ...INJECTIONS }))('%s', async (_, each) => {
    const { verdict = PASS, outbox, cause, text, code = 0, message = '', definition = granted } = each;
    const name = `outbox${number++}`;
    await stage.bring(name, await writingGuest(verdict, outbox, { code, message }), definition);
    const arrived: string[] = [];
    const subscription = stage.villain.subscribe('>', {
      callback: (_error, { subject }) =>
        void (subject.startsWith('$') || subject.startsWith('bystander') || arrived.push(subject)),
    });
    const letter = await stage.contained(async () => {
      await stage.attach(name, { ...definition, replace: true, order: number++ });
      return stage.deadLetterOf(name, () => stage.villain.publish(`${name}.in`, 'kept'));
    });
    await stage.settle();
    subscription.unsubscribe();
    expect(letter.cause).toBe(cause);
    expect(letter.text).toMatch(text);
    expect(letter.message.string()).toBe('kept');
    // Only the answers to this test's own requests.
    expect(arrived.filter((subject) => !subject.startsWith('_INBOX.'))).toEqual([]);
  });
});

describe('guests whose pointers move', () => {
  let stage: Stage;
  let number = 0;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  async function bring(parts: GuestParts, definition: object = {}): Promise<string> {
    const name = `moving${number++}`;
    await stage.bring(name, await guest(parts), definition);
    return name;
  }

  const setControl = (word: number, value: number) =>
    `(i32.store (i32.const ${CONTROL_AT + word * 4}) (i32.const ${value}))`;
  const ECHO = `(memory.copy (i32.const ${OUTBOX_AT + 8}) (local.get 6) (local.get 7)) (i32.store (i32.const ${OUTBOX_AT}) (i32.const 3))
    (i32.store (i32.const ${OUTBOX_AT + 4}) (local.get 7)) (i32.store (i32.const ${CONTROL_AT + 16}) (i32.add (i32.const 8) (i32.and (i32.add (local.get 7) (i32.const 3)) (i32.const -4)))) i32.const 2`;

  it('a control block rewritten in a call changes nothing: what it said at first holds', async () => {
    const message = `${setControl(0, 0xfffffff0)} ${setControl(1, -1)} ${setControl(2, 0xfffffff0)} ${setControl(3, -1)} ${ECHO}`;
    const name = await bring({ message });
    for (const payload of ['one', 'three', 'a'.repeat(60_000)])
      expect((await stage.send(name, payload)).map((m) => m.string())).toEqual([payload]);
  });

  it('a control block that moves outside with the second weir_open', async () => {
    const open = `(if (result i32) (i32.gt_u (local.get 0) (i32.const 65536)) (then (i32.const 0x7ffffff0)) (else (i32.const ${CONTROL_AT})))`;
    const name = await bring({ open });
    const letter = await stage.deadLetterOf(name, () => stage.villain.publish(`${name}.in`, 'x'.repeat(70_000)));
    expect(letter).toMatchObject({
      cause: 'output',
      text: expect.stringContaining('address 2147483632, which is not aligned or outside'),
    });
    expect(await stage.send(name, 'small')).toHaveLength(1);
  });

  it('a weir_open that grows memory and then has no room', async () => {
    const open = `(if (result i32) (i32.gt_u (local.get 0) (i32.const 65536))
      (then (drop (memory.grow (i32.const 1))) (i32.const 0)) (else (i32.const ${CONTROL_AT})))`;
    const name = await bring({ open, message: ECHO });
    const send = () => stage.villain.publish(`${name}.in`, 'x'.repeat(70_000));
    expect((await stage.deadLetterOf(name, send)).text).toContain('the guest has no room for them');
    // The memory grew: every view that the host had of it is gone.
    for (const payload of ['small', 'a'.repeat(500)])
      expect((await stage.send(name, payload)).map((m) => m.string())).toEqual([payload]);
  });

  it('a weir_open that never ends when it is asked for more', async () => {
    const open = `(if (i32.gt_u (local.get 0) (i32.const 65536)) (then (loop (br 0)))) i32.const ${CONTROL_AT}`;
    const name = await bring({ open });
    const letter = await stage.contained(async () => {
      await stage.attach(name, { replace: true, order: number++ });
      return stage.deadLetterOf(name, () => stage.villain.publish(`${name}.in`, 'x'.repeat(70_000)));
    });
    expect(letter).toMatchObject({ cause: 'fuel', text: expect.stringContaining('weir_open used up its fuel') });
  });

  it('an inbox that is kept while memory grows under it', async () => {
    const message = `(drop (memory.grow (i32.const 1))) ${ECHO}`;
    const name = await bring({ message });
    for (let i = 0; i < 20; i++)
      expect((await stage.send(name, `message ${i}`)).map((m) => m.string())).toEqual([`message ${i}`]);
  });

  it('inbox, outbox and control block on top of each other', async () => {
    const at = 0x10000;
    const control: GuestParts['control'] = [at, BOX_BYTES, at, BOX_BYTES];
    const message = `(i32.store (i32.const ${CONTROL_AT + 16}) (i32.const 24)) i32.const 2`;
    const name = await bring({ control, message });
    // The inbox, read as an outbox: whatever the publisher sent.
    const letter = await stage.deadLetterOf(name, () => stage.villain.publish(`${name}.in`, 'x'.repeat(64)));
    expect(letter).toMatchObject({ cause: 'output', text: expect.stringMatching(/has the kind \d+|ends behind/) });
    const onControl: GuestParts['control'] = [CONTROL_AT, BOX_BYTES, OUTBOX_AT, BOX_BYTES];
    const second = await bring({ control: onControl });
    expect((await stage.send(second, 'y'.repeat(200))).map((m) => m.string())).toEqual(['y'.repeat(200)]);
  });

  it('an inbox that the guest fills with what comes next: the host reads no message from it', async () => {
    const message = `(memory.fill (i32.const ${INBOX_AT}) (i32.const 0x24) (i32.const ${BOX_BYTES})) i32.const 0`;
    const name = await bring({ message });
    expect((await stage.send(name, 'as it was')).map((m) => m.string())).toEqual(['as it was']);
  });

  it('sees nothing of another attachment, account or message but its own', async () => {
    // Answers its whole inbox, of which only the frame is the host's.
    const message = `(i32.store (i32.const ${OUTBOX_AT}) (i32.const 3)) (i32.store (i32.const ${OUTBOX_AT + 4}) (i32.const 1000))
      (memory.copy (i32.const ${OUTBOX_AT + 8}) (i32.const ${INBOX_AT}) (i32.const 1000)) (i32.store (i32.const ${CONTROL_AT + 16}) (i32.const 1008)) i32.const 2`;
    const parts = { message };
    const [spy, other] = [await bring(parts), await bring({})];
    await stage.send(other, 'a secret of somebody else');
    const [seen] = await stage.send(spy, 'mine');
    expect(seen.string()).toContain('mine');
    expect(seen.string()).not.toContain('secret');
  });

  it('a header name that a prototype has', async () => {
    const outbox = records(
      metric(0, 'constructor', 2),
      metric(0, '__proto__', 3),
      metric(1, 'toString', 4),
      metric(0, 'zero', -0),
    );
    const name = `moving${number++}`;
    await stage.bring(name, await writingGuest(PASS, outbox), granted);
    await stage.send(name);
    await stage.send(name);
    const info = (await stage.api(`ATTACHMENT.INFO.${name}`)) as {
      attachment: { counters: { metrics: Record<string, number> } };
    };
    const { metrics } = info.attachment.counters;
    expect(Object.entries(metrics)).toEqual([
      ['constructor', 4],
      ['__proto__', 6],
      ['toString', 4],
      ['zero', 0],
    ]);
  });

  it('floods of logs and metrics are counted and cut', async () => {
    const outbox = records(
      ...new Array(400).fill(log(2, 'l'.repeat(100))),
      ...Array.from({ length: 400 }, (_, i) => metric(0, `m${i}`, 1)),
    );
    const name = `moving${number++}`;
    await stage.bring(name, await writingGuest(PASS, outbox), granted);
    let lines = 0;
    stage.villain.subscribe(`$WEIR.LOG.${name}`, { callback: () => void lines++ });
    await stage.contained(() => stage.send(name));
    await stage.settle();
    const { counters } = stage.server.host.attachments.get(name)!;
    expect(counters.logs + counters.logsDropped).toBe(400 * counters.calls);
    expect(lines).toBe(counters.logs);
    // 50 lines a second: a try that met the end of a second has a few more.
    expect(lines).toBeLessThanOrEqual(50 * (counters.calls + 1));
    expect(Object.keys(counters.metrics)).toHaveLength(100);
  });

  it('a log line is cut at 1 KiB, between two characters', async () => {
    const name = `moving${number++}`;
    await stage.bring(name, await writingGuest(PASS, log(3, `a${'é'.repeat(2000)}`)), granted);
    const lines: string[] = [];
    stage.villain.subscribe(`$WEIR.LOG.${name}`, { callback: (_, message) => void lines.push(message.string()) });
    await stage.send(name);
    await stage.settle();
    expect(lines).toEqual([`a${'é'.repeat(511)}`]);
  });

  it('records as the last bytes of the memory', async () => {
    const control: GuestParts['control'] = [INBOX_AT, BOX_BYTES, 0x30000, BOX_BYTES];
    const message = `(i32.store (i32.const ${0x30000}) (i32.const 3)) (i32.store (i32.const ${0x30004}) (i32.const ${BOX_BYTES - 8}))
      (i32.store (i32.const ${CONTROL_AT + 16}) (i32.const ${BOX_BYTES})) i32.const 2`;
    const name = await bring({ control, message });
    expect((await stage.send(name)).map(({ data }) => data.length)).toEqual([BOX_BYTES - 8]);
    const unpadded = message.replace(String(BOX_BYTES - 8), String(BOX_BYTES - 9));
    const second = await bring({ control, message: unpadded });
    expect((await stage.send(second)).map(({ data }) => data.length)).toEqual([BOX_BYTES - 9]);
  });
});
