import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tempFolder } from '../kit/temp-folder.js';

interface Placing {
  place(part: string, files: Map<string, string>): void;
}
type DistClass = new (folder: string, options: { startedMs: number; clean: boolean }) => Placing;
const script = pathToFileURL(join(import.meta.dirname, '..', '..', 'scripts', 'dist.mjs')).href;
const { Dist } = (await import(script)) as { Dist: DistClass };

const first = new Map([
  ['weir.js', 'import "./chunk-AAAAAAAA.js"'],
  ['chunk-AAAAAAAA.js', '1'],
  ['old-entry.js', '1'],
]);
const second = new Map([
  ['weir.js', 'import "./chunk-BBBBBBBB.js"'],
  ['chunk-BBBBBBBB.js', '2'],
]);

let folder: string;
let remove: () => void;
beforeEach(() => {
  ({ path: folder, remove } = tempFolder());
});
afterEach(() => remove());

function build(files: Map<string, string>, { clean = false, startedMs = Date.now() } = {}): void {
  new Dist(folder, { startedMs, clean }).place('.', files);
}

function makeOld(path: string): void {
  const longAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);
  utimesSync(path, longAgo, longAgo);
}

describe('placing a build in dist/', () => {
  test('replaces entries, removes those that are gone, and keeps chunks that a running process may still load', () => {
    build(first);
    build(second);
    expect(readdirSync(folder).sort()).toEqual(['.built', 'chunk-AAAAAAAA.js', 'chunk-BBBBBBBB.js', 'weir.js']);
    expect(readFileSync(join(folder, 'weir.js'), 'utf8')).toBe(second.get('weir.js'));
  });

  test('removes chunks, and what a build that was ended left behind, after an hour', () => {
    build(first);
    for (const name of ['weir.js.1.tmp', 'weir.js.2.tmp']) writeFileSync(join(folder, name), '');
    makeOld(join(folder, 'chunk-AAAAAAAA.js'));
    makeOld(join(folder, 'weir.js.1.tmp'));
    build(second);
    expect(readdirSync(folder).sort()).toEqual(['.built', 'chunk-BBBBBBBB.js', 'weir.js', 'weir.js.2.tmp']);
  });

  test('leaves only the build itself when clean', () => {
    build(first);
    build(second, { clean: true });
    expect(readdirSync(folder).sort()).toEqual(['.built', 'chunk-BBBBBBBB.js', 'weir.js']);
  });

  test('leaves the other parts alone, and removes what is gone from folders of its own', () => {
    const types = new Dist(folder, { startedMs: Date.now(), clean: false });
    types.place(
      'types',
      new Map([
        [join('base', 'gone.d.ts'), ''],
        ['index.d.ts', ''],
      ]),
    );
    build(first);
    types.place('types', new Map([['index.d.ts', '']]));
    expect(readdirSync(join(folder, 'types'), { recursive: true }).sort()).toEqual(['.built', 'base', 'index.d.ts']);
    expect(readdirSync(folder)).toContain('weir.js');
  });

  test('stamps it with the time at which the build began: sources changed meanwhile are newer', () => {
    build(first, { startedMs: Date.parse('2026-01-02T03:04:05Z') });
    expect(statSync(join(folder, '.built')).mtime.toISOString()).toBe('2026-01-02T03:04:05.000Z');
  });
});
