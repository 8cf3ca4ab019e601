import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../src/config/arguments.js';

describe('flags', () => {
  const cases: [string, object][] = [
    ['-p 4333', { port: 4333 }],
    ['--port=4333', { port: 4333 }],
    ['-p -1', { port: -1 }],
    ['-a h -m 8', { host: 'h', httpPort: 8 }],
    ['--addr h --net i', { host: 'i' }],
    ['-D -V', { debug: true, trace: true }],
    ['-DV', { debug: true, trace: true }],
    ['-DVV=false', { debug: false, trace: false }],
    ['-js -sd /x', { jetstream: true, storeDir: '/x' }],
    ['--signal reload=12 -t', { signal: 'reload=12', test: true }],
    ['-sl=stop=/pid', { signal: 'stop=/pid' }],
    ['--user u --pass= --auth t', { user: 'u', pass: '', auth: 't' }],
    ['-T=false --logtime_utc', { logTime: false, logTimeUtc: true }],
    ['--cluster nats://h:-1 --cluster_name c', { cluster: { host: 'h', port: 0 }, clusterName: 'c' }],
    ['--cluster_listen nats://u:p@[::1]:6222', { cluster: { host: '::1', port: 6222 } }],
    ['--cluster=', { cluster: null }],
    ['--connect_retries 3 --no_advertise --cluster_advertise x', {}],
    ['', {}],
  ];
  for (const [line, values] of cases) {
    it(line, () => {
      expect(parseArguments(line.split(' ').filter(Boolean))).toEqual({ values, words: [] });
    });
  }

  it('that nats-server lacks are known to the command with our name alone', () => {
    expect(parseArguments(['--edge', '-p', '1'], true)).toEqual({ values: { edge: true, port: 1 }, words: [] });
    expect(parseArguments(['--edge'])).toEqual({ error: 'flag provided but not defined: -edge', unsupported: false });
  });

  it('end at the first word, or at two dashes', () => {
    expect(parseArguments(['-D', 'help', '-V'])).toEqual({ values: { debug: true }, words: ['help', '-V'] });
    expect(parseArguments(['--', '-V'])).toEqual({ values: {}, words: ['-V'] });
    expect(parseArguments(['-'])).toEqual({ values: {}, words: ['-'] });
  });
});

describe('mistakes', () => {
  const cases: [string[], string, boolean][] = [
    [['--bogus'], 'flag provided but not defined: -bogus', false],
    [['-p'], 'flag needs an argument: -p', false],
    [['-p', 'x'], 'invalid value "x" for flag -p: parse error', false],
    [['-D=x'], 'invalid boolean value "x" for -D: parse error', false],
    [['---x'], 'bad flag syntax: ---x', false],
    [['-=x'], 'bad flag syntax: -=x', false],
    [['--toString'], 'flag provided but not defined: -toString', false],
    [['--cluster', 'nohost'], 'invalid value "nohost" for flag -cluster: parse error', false],
    [['--routes', 'nats://x:1'], 'flag is not supported yet by this server: -routes', true],
    [['--profile', '1'], 'flag is not supported yet by this server: -profile', true],
  ];
  for (const [argv, error, unsupported] of cases) {
    it(argv.join(' '), () => expect(parseArguments(argv)).toEqual({ error, unsupported }));
  }
});

it('any command line is read or refused', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string(), fc.constantFrom('-p', '-D', '--config', '-sl', '=', '--cluster'))),
      (argv) => {
        const parsed = parseArguments(argv);
        expect('error' in parsed ? parsed.error : parsed.values).toBeDefined();
      },
    ),
  );
});
