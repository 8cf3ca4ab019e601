import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/base/failure.js';
import { type ConfigValue, type GrammarInputs, parseConfig } from '../../src/config/grammar.js';

const noFiles: GrammarInputs = {
  readFile: () => {
    throw new Error('no such file');
  },
  resolve: (_, path) => path,
  env: {
    HOME: '/home/me',
    LIST: '[1, "x y", k]',
    QUOTED: '"a b"',
    SIZE: '1k',
    LOOP: '$LOOP2',
    LOOP2: '$LOOP',
    BAD: '{',
  },
};

function plain(value: ConfigValue): unknown {
  if (value.kind === 'map')
    return Object.fromEntries(Array.from(value.entries, ([key, entry]) => [key, plain(entry.value)]));
  return value.kind === 'array' ? value.items.map(plain) : value.value;
}

function read(text: string, inputs: Partial<GrammarInputs> = {}): unknown {
  return plain(parseConfig(text, 'x.conf', { ...noFiles, ...inputs }));
}

describe('values', () => {
  const cases: [string, unknown][] = [
    ['a = b\nc: d\ne f', { a: 'b', c: 'd', e: 'f' }],
    ['a=1;b=2,c=3', { a: 1, b: 2, c: 3 }],
    ['{"a": 1, "b": [1, 2], "c": {"d": "e"}}', { a: 1, b: [1, 2], c: { d: 'e' } }],
    ['a {b: 1, c {d: x}}', { a: { b: 1, c: { d: 'x' } } }],
    ['a\n{\n b = 1\n}\n', { a: { b: 1 } }],
    ['a = [\n 1\n 2, 3,\n]', { a: [1, 2, 3] }],
    ['a = [{b: 1}, {b: 2}]', { a: [{ b: 1 }, { b: 2 }] }],
    ['a = TRUE\nb = off\nc = Yes', { a: true, b: false, c: true }],
    [
      'a = 1k\nb = 1kb\nc = 2MiB\nd = -3g\ne = 1.5\nf = -0.25',
      { a: 1e3, b: 1024, c: 2 ** 21, d: -3e9, e: 1.5, f: -0.25 },
    ],
    ['a = 1.2.3.4:5\nb = 10s\nc = 1x\nd = 1kx', { a: '1.2.3.4:5', b: '10s', c: '1x', d: '1kx' }],
    ['a = 2016-05-04T18:53:41Z', { a: '2016-05-04T18:53:41Z' }],
    ['a = "x\\n\\t\\x41\\"\\\\"\nb = \'x\\n\'', { a: 'x\n\tA"\\', b: 'x\\n' }],
    ['pass: a#b(c){d //e', { pass: 'a#b(c){d' }],
    ['a = b # c\n// d\nurl = nats://u:p@h:1 // e', { a: 'b', url: 'nats://u:p@h:1' }],
    ['a: //x\nb: #y', { a: '//x', b: '#y' }],
    ['a = x\\x41y', { a: 'xAy' }],
    ['a (\n one\n  two)\n)\nb: 1', { a: '\n one\n  two)\n', b: 1 }],
    ['"a b" = 1\n\'c\' : 2', { 'a b': 1, c: 2 }],
    ['a = "x\r\ny"\r\nb = 1\r\n', { a: 'x\r\ny', b: 1 }],
    ['a = 1\na = 2', { a: 2 }],
    ['\uFEFFa = 1', { a: 1 }],
    ['', {}],
    ['# nothing', {}],
    ['include_me = 1', { include_me: 1 }],
    ['__proto__ = 1\nconstructor = 2', JSON.parse('{"__proto__": 1, "constructor": 2}')],
    ['a = $2a$11$ooo', { a: '$2a$11$ooo' }],
  ];
  for (const [text, value] of cases) {
    it(JSON.stringify(text), () => expect(read(text)).toEqual(value));
  }
});

describe('variables', () => {
  it('come from this block, the ones around it, and the environment, in this order', () => {
    expect(read('a = 1\nHOME = /own\nb { a = 2\n c = $a\n d = $HOME }\ne = $a')).toEqual({
      a: 1,
      HOME: '/own',
      b: { a: 2, c: 2, d: '/own' },
      e: 1,
    });
    expect(read('a = $HOME')).toEqual({ a: '/home/me' });
  });

  it('of the environment are read like a value of a file', () => {
    expect(read('a = $LIST\nb = $QUOTED\nc = $SIZE')).toEqual({ a: [1, 'x y', 'k'], b: 'a b', c: 1000 });
  });

  it('in quotes are none', () => {
    expect(read('a = "$HOME"')).toEqual({ a: '$HOME' });
  });

  it('mark the key that they refer to, which need not be a known one then', () => {
    const { entries } = parseConfig('A = 1\nB = 2\nport = $A', 'x.conf', noFiles);
    expect([...entries].map(([key, entry]) => [key, entry.usedAsVariable])).toEqual([
      ['A', true],
      ['B', false],
      ['port', false],
    ]);
  });
});

describe('include', () => {
  const files: Record<string, string> = {
    'sub/a.conf': 'b = 2\ninclude "../c.conf"',
    'c.conf': 'c = 3',
    'round.conf': 'include ./x.conf',
    'bad.conf': 'a = 1\n  b = ]',
  };
  const inputs: Partial<GrammarInputs> = {
    readFile: (path) => {
      if (files[path] === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
      return files[path];
    },
    resolve: (from, path) => {
      const base = from.includes('/') ? from.slice(0, from.lastIndexOf('/') + 1) : '';
      return `${base}${path}`.replace(/[^/]+\/\.\.\//, '').replace('./', '');
    },
  };

  it('puts the keys of another file here, paths beside the file that names them', () => {
    expect(read('a = 1\ninclude sub/a.conf\nd { include c.conf }', inputs)).toEqual({ a: 1, b: 2, c: 3, d: { c: 3 } });
  });

  it('says what is wrong with the place in the included file', () => {
    expect(() => read('include bad.conf', inputs)).toThrow(/^bad\.conf:2:7: /);
    expect(() => read('\n include nofile.conf', inputs)).toThrow(/^x\.conf:2:2: cannot include "nofile.conf": ENOENT/);
  });

  it('in a circle ends', () => {
    expect(() => read('include round.conf', inputs)).toThrow(
      /^round\.conf:1:1: include of "\.\/x\.conf" goes in a circle/,
    );
  });
});

describe('mistakes have their place', () => {
  const cases: [string, string][] = [
    ['a = "x', '1:5: this string has no closing "'],
    ['a = [1', '1:5: this array has no closing "]"'],
    ['a {\n b = 1\n', '3:1: unexpected end of the file, expected "}"'],
    ['a (\n x', '1:3: this block has no ")" on a line of its own'],
    ['a =', '1:4: unexpected end of the file, expected a value for "a"'],
    ['a =\n1', '1:4: unexpected end of the line, expected a value for "a"'],
    ['= 1', '1:1: unexpected "=", expected a key'],
    ['}', '1:1: unexpected "}", expected a key'],
    ['a = b c', '1:7: unexpected "c" after a value, expected "," or a new line'],
    ['a = 1\n\n  b = "x" y', '3:11: unexpected "y" after a value'],
    ['a = [1 2]', '1:8: unexpected "2", expected "," or "]"'],
    ['a = "\\q"', '1:6: invalid escape "\\\\q"'],
    ['a = $NOPE', '1:5: variable reference for "NOPE" can not be found'],
    ['a = $LOOP', '$LOOP2:1:1: variable reference cycle for "LOOP"'],
    ['a = $BAD', '$BAD:1:2: unexpected end of the file, expected "}"'],
    ['a = -', '1:5: "-" is not a number'],
    ['a = 99999999999999999999', "1:5: integer '99999999999999999999' is out of the range"],
    ['a = 2026-02-30T00:00:00Z', '1:5: "2026-02-30T00:00:00Z" is not a date of the calendar'],
    ['{a: 1} b', '1:8: unexpected "b" after the closing "}"'],
    ['a = '.padEnd(500, '['), '1:105: values are nested deeper than 100'],
  ];
  for (const [text, message] of cases) {
    it(JSON.stringify(text.slice(0, 40)), () => {
      expect(() => read(text)).toThrow(message.startsWith('$') ? message : `x.conf:${message}`);
    });
  }
});

/** Anything at all, and pieces that mean something put together at random. */
const pieces = [
  'a',
  'port',
  'include',
  '"x y"',
  "'q'",
  '1',
  '2k',
  '-1',
  'true',
  '$HOME',
  '$a',
  '=',
  ':',
  ' ',
  '\n',
  '\r\n',
];
const marks = [',', ';', '{', '}', '[', ']', '# c\n', '// d\n', '(', '\n)\n', '\\', '"', "'", 'é', '\u{1F600}', '\t'];
const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom(...pieces, ...marks), { maxLength: 40 }).map((parts) => parts.join('')),
);

describe('any text', () => {
  it('gives values or a failure with file, line and column', () => {
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseConfig(text, 'x.conf', noFiles);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
          expect((error as Failure).code).toBe('config-invalid');
          expect((error as Failure).message).toMatch(/^(?:x\.conf|\$[^:]*):\d+:\d+: /s);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('names a place that is in the text', () => {
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseConfig(text, 'x.conf', { ...noFiles, env: {} });
        } catch (error) {
          const [, line, column] = /:(\d+):(\d+): /.exec((error as Failure).message) ?? [];
          const lines = text.replace(/^\uFEFF/, '').split('\n');
          expect(Number(line)).toBeLessThanOrEqual(lines.length);
          expect(Number(column)).toBeLessThanOrEqual(lines[Number(line) - 1].length + 1);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** A value as a careful person would write it. */
function written(value: unknown, indent: string): string {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value))
    return `[\n${value.map((item) => `${indent}  ${written(item, `${indent}  `)}\n`).join('')}${indent}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(
      ([key, item]) => `${indent}  '${key}': ${written(item, `${indent}  `)}\n`,
    );
    return `{\n${entries.join('')}${indent}}`;
  }
  return String(value);
}

function quoted(text: string): string {
  const escaped = text
    .replace(/[\\"]/g, '\\$&')
    .replace(/\n/g, '\\n')
    .replace(/[\u0080-\u00ff]/g, (letter) => `\\x${letter.charCodeAt(0).toString(16)}`);
  return `"${escaped}"`;
}

const keys = fc.string({ unit: 'grapheme', minLength: 1 }).filter((key) => !key.includes("'"));
const { value: values } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary' }).filter((text) => !/[\ud800-\udfff]/.test(text)),
    fc.integer(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 4 }),
  ),
}));

it('what is written down comes back as it was', () => {
  fc.assert(
    fc.property(fc.dictionary(keys, values, { maxKeys: 5 }), (document) => {
      const entries = Object.entries(document);
      const text = entries.map(([key, value]) => `'${key}' = ${written(value, '')}\n`).join('');
      expect(read(text)).toEqual(document);
    }),
    { numRuns: 500 },
  );
});
