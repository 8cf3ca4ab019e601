import { describe, expect, it } from 'vitest';
import { whyNotOrigin } from '../../src/net/websocket-listener.js';
import { readCookies } from '../../src/net/websocket-transport.js';

describe('cookies', () => {
  const cases: [string, [string, string][]][] = [
    ['', []],
    ['a=1', [['a', '1']]],
    [
      'a=1; b=x=y;c = "q z"',
      [
        ['a', '1'],
        ['b', 'x=y'],
        ['c', 'q z'],
      ],
    ],
    [
      'a=%20%41; b=%zz',
      [
        ['a', ' A'],
        ['b', '%zz'],
      ],
    ],
    ['=x; y; z=', [['z', '']]],
    ['__proto__=1', [['__proto__', '1']]],
  ];
  for (const [header, cookies] of cases) {
    it(JSON.stringify(header), () => expect([...readCookies(header)]).toEqual(cookies));
  }
});

describe('origins', () => {
  const rules = { sameOrigin: false, allowedOrigins: [] as string[], tls: null };
  const request = (origin?: string, host = 'h.example:80') => ({
    headers: { host, ...(origin === undefined ? {} : { origin }) },
  });

  it('are not asked for without rules, and clients that are no browsers say none', () => {
    expect(whyNotOrigin(request('http://evil'), rules)).toBeNull();
    expect(whyNotOrigin(request(), { ...rules, sameOrigin: true, allowedOrigins: ['http://a'] })).toBeNull();
  });

  it('are the same with the port that goes without saying', () => {
    const same = { ...rules, sameOrigin: true };
    expect(whyNotOrigin(request('http://H.example'), same)).toBeNull();
    expect(whyNotOrigin(request('https://h.example'), same)).toBe('not same origin');
    expect(whyNotOrigin(request('http://h.example', ''), same)).toBe('not same origin');
    expect(whyNotOrigin(request('null'), same)).toBe('"null" is not a URL');
  });

  it('must fit both rules when there are both', () => {
    const both = { ...rules, sameOrigin: true, allowedOrigins: ['http://h.example', 'http://other'] };
    expect(whyNotOrigin(request('http://h.example'), both)).toBeNull();
    expect(whyNotOrigin(request('http://other'), both)).toBe('not same origin');
    expect(whyNotOrigin(request('http://h.example'), { ...both, allowedOrigins: ['http://other'] })).toBe(
      'not in the allowed list',
    );
  });
});
