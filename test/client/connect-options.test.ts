import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CONNECT, readConnect } from '../../src/client/connect-options.js';

describe('CONNECT', () => {
  it('takes every field', () => {
    const json = JSON.stringify({
      verbose: false,
      pedantic: false,
      echo: false,
      headers: true,
      no_responders: true,
      protocol: 1,
      tls_required: true,
      name: 'n',
      lang: 'l',
      version: 'v',
      user: 'u',
      pass: 'p',
      auth_token: 't',
      nkey: 'k',
      jwt: 'j',
      sig: 's',
      account: 'a',
    });
    expect(readConnect(json, DEFAULT_CONNECT)).toEqual({
      verbose: false,
      pedantic: false,
      echo: false,
      headers: true,
      noResponders: true,
      protocol: 1,
      tlsRequired: true,
      name: 'n',
      language: 'l',
      version: 'v',
      user: 'u',
      password: 'p',
      token: 't',
      nkey: 'k',
      jwt: 'j',
      signature: 's',
      account: 'a',
    });
  });

  it('changes what it names and nothing else', () => {
    const before = { ...DEFAULT_CONNECT, name: 'before', protocol: 1 };
    expect(readConnect('{"VERBOSE":false,"name":null,"unknown":{"verbose":1}}', before)).toEqual({
      ...before,
      verbose: false,
    });
    expect(readConnect('{}', before)).toEqual(before);
    expect(before.verbose).toBe(true);
  });

  it.each([
    ['', 'invalid CONNECT JSON'],
    ['[]', 'expected an object'],
    ['null', 'expected an object'],
    ['"text"', 'expected an object'],
    ['{"verbose":"yes"}', '"verbose" is a string, expected a boolean'],
    ['{"protocol":1.5}', '"protocol" is a fraction, expected a whole number'],
    ['{"name":[]}', '"name" is an array, expected a string'],
    ['{"pass":{"secret":1}}', '"pass" is an object, expected a string'],
  ])('%s is refused: %s', (json, text) => {
    expect(readConnect(json, DEFAULT_CONNECT)).toContain(text);
  });

  it('never tells a value that may be a secret', () => {
    expect(readConnect('{"pass":123456}', DEFAULT_CONNECT)).not.toContain('123456');
  });

  it('never throws, and never makes a field of another type (property)', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc
            .dictionary(fc.constantFrom('verbose', 'name', 'protocol', '__proto__', 'constructor'), fc.jsonValue())
            .map((value) => JSON.stringify(value)),
        ),
        (json) => {
          const options = readConnect(json, DEFAULT_CONNECT);
          if (typeof options === 'string') return;
          expect(Object.keys(options).sort()).toEqual(Object.keys(DEFAULT_CONNECT).sort());
          for (const [key, value] of Object.entries(DEFAULT_CONNECT)) {
            expect(typeof options[key as keyof typeof options]).toBe(typeof value);
          }
        },
      ),
    );
  });
});
