import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/message/message.js';
import type { Operations, Violation } from '../../src/wire/nats/operations.js';
import { Parser } from '../../src/wire/nats/parser.js';

/** Writes down what the parser tells. */
class Recorder implements Operations {
  readonly heard: string[] = [];

  onPublish(message: Message): void {
    const part = (start: number, end: number) => Buffer.from(message.bytes.subarray(start, end)).toString('latin1');
    const {
      subjectStart,
      subjectEnd,
      replyStart,
      replyEnd,
      headersStart,
      payloadStart,
      payloadEnd,
      tailStart,
      tailEnd,
    } = message;
    const parts = [
      part(subjectStart, subjectEnd),
      part(replyStart, replyEnd),
      part(headersStart, payloadStart),
      part(payloadStart, payloadEnd),
    ];
    this.heard.push(`publish ${JSON.stringify(parts)} ${JSON.stringify(part(tailStart, tailEnd))}`);
  }
  onSubscribe(bytes: Uint8Array, tokens: Int32Array, withQueue: boolean): void {
    const token = (i: number) => Buffer.from(bytes.subarray(tokens[i * 2], tokens[i * 2 + 1])).toString();
    this.heard.push(`subscribe ${token(0)} ${token(1)}${withQueue ? ` ${token(2)}` : ''}`);
  }
  onUnsubscribe(bytes: Uint8Array, start: number, end: number, max: number): void {
    this.heard.push(`unsubscribe ${Buffer.from(bytes.subarray(start, end))} ${max}`);
  }
  onConnect(bytes: Uint8Array, start: number, end: number): void {
    this.heard.push(`connect ${Buffer.from(bytes.subarray(start, end)).toString().trim()}`);
  }
  onPing(): void {
    this.heard.push('ping');
  }
  onPong(): void {
    this.heard.push('pong');
  }
  onError(): void {
    this.heard.push('error');
  }
  onViolation(violation: Violation): void {
    this.heard.push(`violation ${violation}`);
  }
}

function parse(chunks: Uint8Array[], headroom = 0): string[] {
  const recorder = new Recorder();
  const parser = new Parser(recorder, { controlLineBytesMax: 4096, payloadBytesMax: 100_000, headers: true });
  for (const chunk of chunks) {
    const bytes = new Uint8Array(headroom + chunk.length);
    bytes.set(chunk, headroom);
    parser.parse(bytes, headroom, bytes.length);
    // The bytes belong to whoever read them: what the parser needs later it has copied.
    bytes.fill(0x7a);
  }
  return recorder.heard;
}

const CONVERSATION = Buffer.from(
  'CONNECT {"verbose":false}\r\nSUB foo.* 1\r\nsub bar q 2\r\nPUB foo.a 5\r\nhello\r\nPUB foo.b reply 0\r\n\r\n' +
    'pub \t foo.c\t  03\r\nabc\r\nPING\r\n' +
    'HPUB h 12 14\r\nNATS/1.0\r\n\r\nhi\r\nHPUB h r 12 12\r\nNATS/1.0\r\n\r\n\r\nUNSUB 1 5\r\nUNSUB 2\r\n+OK\r\nPONG\r\nPUB x 3\nabc\r\nPING\r\n',
);

interface Written {
  text: string;
  heard: string[];
}

const word = fc.stringMatching(/^[a-z0-9.*>_$\x80-\xff]{1,12}$/);
const blank = fc.constantFrom(' ', ' ', ' ', '  ', '\t', ' \t ');
const lineEnd = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n');
const payload = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map(latin1),
  fc.constantFrom('\r\n', 'PING\r\n', 'x'.repeat(5000)),
);
const caseOf = fc.func(fc.boolean());

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function asUtf8(text: string): string {
  return Buffer.from(text, 'latin1').toString();
}

/** A line as a peer might write it. */
function lineOf(verb: string, words: string[], style: Style): string {
  const letters = Array.from(verb, (letter, i) => (style.upper(i) ? letter : letter.toLowerCase())).join('');
  return letters + style.blank + words.join(style.between) + style.behind + style.lineEnd;
}

interface Style {
  upper: (i: number) => boolean;
  blank: string;
  between: string;
  behind: string;
  lineEnd: string;
}

const style = fc.record({ upper: caseOf, blank, between: blank, behind: fc.constantFrom('', '', ' ', '\t '), lineEnd });

const publish = fc.record({
  style,
  subject: word,
  reply: fc.option(word),
  headers: fc.option(payload),
  body: payload,
  zeros: fc.constantFrom('', '', '00'),
});

const operation: fc.Arbitrary<Written> = fc.oneof(
  publish.map(({ style, subject, reply, headers, body, zeros }) => {
    const total = zeros + String((headers?.length ?? 0) + body.length);
    const sizes = headers === null ? [total] : [zeros + String(headers.length), total];
    const line = lineOf(
      headers === null ? 'PUB' : 'HPUB',
      [subject, ...(reply === null ? [] : [reply]), ...sizes],
      style,
    );
    const told = [...(reply === null ? [] : [reply]), ...(headers === '' ? [total] : sizes)].join(' ');
    const parts = [subject, reply ?? '', headers ?? '', body];
    const tail = `${told}\r\n${headers ?? ''}${body}\r\n`;
    return {
      text: `${line}${headers ?? ''}${body}\r\n`,
      heard: [`publish ${JSON.stringify(parts)} ${JSON.stringify(tail)}`],
    };
  }),
  fc.record({ style, filter: word, queue: fc.option(word), sid: word }).map(({ style, filter, queue, sid }) => {
    const words = [filter, ...(queue === null ? [] : [queue]), sid];
    return { text: lineOf('SUB', words, style), heard: [`subscribe ${asUtf8(words.join(' '))}`] };
  }),
  fc.record({ style, sid: word, max: fc.option(fc.nat(1000)) }).map(({ style, sid, max }) => ({
    text: lineOf('UNSUB', [sid, ...(max === null ? [] : [String(max)])], style),
    heard: [`unsubscribe ${asUtf8(sid)} ${max ?? 0}`],
  })),
  fc.record({ style, verb: fc.constantFrom('PING', 'PONG') }).map(({ style, verb }) => ({
    text: lineOf(verb, [], style),
    heard: [verb.toLowerCase()],
  })),
  style.map((style) => ({ text: lineOf('CONNECT', ['{"a":1}'], style), heard: ['connect {"a":1}'] })),
  style.map((style) => ({ text: lineOf('+OK', [], style), heard: [] })),
);

describe('parser', () => {
  const whole = parse([CONVERSATION]);

  it('finds every operation', () => {
    expect(whole).toMatchInlineSnapshot(`
      [
        "connect {"verbose":false}",
        "subscribe foo.* 1",
        "subscribe bar q 2",
        "publish ["foo.a","","","hello"] "5\\r\\nhello\\r\\n"",
        "publish ["foo.b","reply","",""] "reply 0\\r\\n\\r\\n"",
        "publish ["foo.c","","","abc"] "03\\r\\nabc\\r\\n"",
        "ping",
        "publish ["h","","NATS/1.0\\r\\n\\r\\n","hi"] "12 14\\r\\nNATS/1.0\\r\\n\\r\\nhi\\r\\n"",
        "publish ["h","r","NATS/1.0\\r\\n\\r\\n",""] "r 12 12\\r\\nNATS/1.0\\r\\n\\r\\n\\r\\n"",
        "unsubscribe 1 5",
        "unsubscribe 2 0",
        "pong",
        "publish ["x","","","abc"] "3\\r\\nabc\\r\\n"",
        "ping",
      ]
    `);
  });

  it('finds the same when the bytes are cut anywhere', () => {
    for (let cut = 0; cut <= CONVERSATION.length; cut++) {
      expect(
        parse([CONVERSATION.subarray(0, cut), CONVERSATION.subarray(cut)], cut % 2 === 0 ? 64 : 0),
        `cut at ${cut}`,
      ).toEqual(whole);
    }
    expect(parse(Array.from(CONVERSATION, (byte) => Uint8Array.of(byte)))).toEqual(whole);
  });

  it('finds the same for random cuts (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(CONVERSATION.length), { maxLength: 12 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), CONVERSATION.length];
        const chunks = at.slice(1).map((end, i) => CONVERSATION.subarray(at[i], end));
        expect(parse(chunks, 32)).toEqual(whole);
      }),
    );
  });

  it('finds what was written, with any blanks, letters of any case, line ends and cuts (property)', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 20 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.nat(80),
        (written, cuts, headroom) => {
          const bytes = Buffer.from(written.map(({ text }) => text).join(''), 'latin1');
          const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
          const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
          expect(parse(chunks, headroom)).toEqual(written.flatMap(({ heard }) => heard));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('never throws on random bytes (property)', () => {
    const words = fc.constantFrom(
      'PUB a 2\r\n',
      'HPUB a 1 2\r\n',
      'PUB ',
      'HPUB ',
      'SUB ',
      'UNSUB ',
      'CONNECT ',
      'PING',
      '\r\n',
      ' ',
      '\t',
      '12',
      '999999999',
      'a.b',
      '\0',
      '{}',
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(words, fc.string({ unit: 'binary' })), { maxLength: 30 }),
        fc.nat(),
        (parts, cut) => {
          const pieces = parts.map((part) => Buffer.from(part, 'latin1'));
          const heard = parse(pieces);
          // However it is cut: the same up to the first violation, after which nothing more is heard.
          const bytes = Buffer.concat(pieces);
          const at = cut % (bytes.length + 1);
          expect(parse([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(heard);
          const violation = heard.findIndex((line) => line.startsWith('violation'));
          if (violation >= 0) expect(violation).toBe(heard.length - 1);
        },
      ),
    );
  });

  it.each([
    ['HELLO\r\n', 0],
    ['PUB foo\r\n', 5],
    ['PUB foo 5 6 7\r\n', 5],
    ['PUB foo 1234567890\r\n', 5],
    ['PUB foo -1\r\n', 5],
    ['PUB foo 2\r\nhello\r\n', 0],
    ['PUB foo 100001\r\n', 1],
    [`PUB ${'a'.repeat(5000)}`, 2],
    ['HPUB foo 20 10\r\n', 5],
    ['SUB foo\r\n', 5],
  ])('refuses %#', (text, violation) => {
    expect(parse([Buffer.from(text)])).toEqual([`violation ${violation}`]);
  });
});
