import { describe, expect, it } from 'vitest';
import {
  publishViolation,
  quoteGo,
  replyViolation,
  subscriptionViolation,
  tooManyTokensViolation,
} from '../../src/wire/nats/errors.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');

describe('quoting', () => {
  it.each([
    ['foo.bar', '"foo.bar"'],
    ['', '""'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ['\x07\b\t\n\v\f\r', '"\\a\\b\\t\\n\\v\\f\\r"'],
    ['\x00\x01\x1f\x7f', '"\\x00\\x01\\x1f\\x7f"'],
    ['caf\xc3\xa9', '"café"'],
    ['\xe6\x97\xa5', '"日"'],
    ['\xf0\x9f\x98\x80', '"😀"'],
    ['\xc2\xa0\xe2\x80\xa8', '"\\u00a0\\u2028"'],
    ['\xf3\xa0\x80\x81', '"\\U000e0001"'],
    // Not UTF-8: stray bytes, cut letters, overlong forms, surrogates, beyond Unicode.
    ['\xff\xfe', '"\\xff\\xfe"'],
    ['a\xc3', '"a\\xc3"'],
    ['\xc0\xaf', '"\\xc0\\xaf"'],
    ['\xed\xa0\x80', '"\\xed\\xa0\\x80"'],
    ['\xf4\x90\x80\x80', '"\\xf4\\x90\\x80\\x80"'],
    ['\xef\xbf\xbd', '"\ufffd"'],
  ])('%j', (text, quoted) => {
    expect(quoteGo(bytes(text))).toBe(quoted);
  });
});

describe('violations', () => {
  it('are worded as clients expect', () => {
    expect(publishViolation(bytes('a'))).toBe('Permissions Violation for Publish to "a"');
    expect(replyViolation(bytes('r'))).toBe('Permissions Violation for Publish with Reply of "r"');
    expect(subscriptionViolation(bytes('a'), null)).toBe('Permissions Violation for Subscription to "a"');
    expect(subscriptionViolation(bytes('a'), bytes('q'))).toBe(
      'Permissions Violation for Subscription to "a" using queue "q"',
    );
    expect(tooManyTokensViolation(bytes('a.b'))).toBe(
      'Permissions Violation for Subscription to "a.b", too many tokens',
    );
  });
});
