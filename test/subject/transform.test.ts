import { describe, expect, it } from 'vitest';
import { SubjectTransform, TransformMistake } from '../../src/subject/transform.js';

describe('transforms of subjects', () => {
  const cases: [string, string, string, string | null][] = [
    ['orders.*.>', 'sales.{{wildcard(1)}}.>', 'orders.eu.1.2', 'sales.eu.1.2'],
    ['a.*.*', 'b.$2.$1', 'a.x.y', 'b.y.x'],
    ['a.*.*', 'b.*.*', 'a.x.y', 'b.x.y'],
    ['a.*', 'b', 'a.x', 'b'],
    ['a.*', 'b.*', 'c.x', null],
    ['', 'all.>', 'a.b', 'all.a.b'],
    ['*', '{{split(1,-)}}', 'a-b--c', 'a.b.c'],
    ['*', '{{splitfromleft(1,2)}}', 'abcde', 'ab.cde'],
    ['*', '{{SplitFromRight(1,2)}}', 'abcde', 'abc.de'],
    ['*', '{{slicefromleft(1,2)}}', 'abcde', 'ab.cd.e'],
    ['*', '{{slicefromright(1,2)}}', 'abcde', 'a.bc.de'],
    ['*', '{{left(1,2)}}.{{right(1,2)}}', 'abcde', 'ab.de'],
    ['*', '{{left(1,9)}}', 'abc', 'abc'],
  ];
  for (const [source, destination, subject, expected] of cases)
    it(`${source} to ${destination}: ${subject} becomes ${expected}`, () => {
      expect(new SubjectTransform(source, destination).match(subject)).toBe(expected);
    });

  it('partitions by the hash of tokens, the same on every server', () => {
    const transform = new SubjectTransform('*.*', '{{partition(10,1,2)}}.{{wildcard(1)}}');
    // As `nats server mapping "*.*" "{{partition(10,1,2)}}.{{wildcard(1)}}"` answers.
    expect(transform.match('foo.bar')).toMatch(/^\d\.foo$/);
    expect(transform.match('foo.bar')).toBe(transform.match('foo.bar'));
    const parts = new Set(Array.from({ length: 200 }, (_, i) => transform.match(`k${i}.x`)!.split('.')[0]));
    expect(parts.size).toBe(10);
  });

  it('takes chance from whoever has it', () => {
    expect(new SubjectTransform('*', 'r.{{random(4)}}', () => 0.6).match('a')).toBe('r.2');
  });

  const wrong: [string, string][] = [
    ['a.*', 'b.{{wildcard(2)}}'],
    ['a.*', 'b.$2'],
    ['a.>', 'b'],
    ['a', 'b.>'],
    ['a.*', 'b.{{nothing(1)}}'],
    ['a.*', 'b.{{wildcard(x)}}'],
    ['a.*', 'b.{{partition(0,1)}}'],
    ['a.*', 'b.{{split(1,.)}}'],
    ['a.*', 'b..c'],
    ['a..b', 'c'],
  ];
  for (const [source, destination] of wrong)
    it(`refuses ${source} to ${destination}`, () => {
      expect(() => new SubjectTransform(source, destination)).toThrow(TransformMistake);
    });
});
