import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { plan, refused } from './plan.js';
import { readSourceFiles, type SourceFile, sourceFolder } from './source-files.js';

const files = readSourceFiles();
const byPath = new Map(files.map((file) => [file.path, file]));
const limits = { fileLines: 500, functionLines: 70 };

/** A path of imports that comes back to where it began, or null. */
function findCycle(): string[] | null {
  const done = new Set<string>();
  const trail: string[] = [];
  const walk = (file: SourceFile): string[] | null => {
    const seen = trail.indexOf(file.path);
    if (seen >= 0) return [...trail.slice(seen), file.path];
    if (done.has(file.path)) return null;
    trail.push(file.path);
    for (const path of file.imports) {
      const next = byPath.get(path);
      const cycle = next === undefined ? null : walk(next);
      if (cycle !== null) return cycle;
    }
    trail.pop();
    done.add(file.path);
    return null;
  };
  for (const file of files) {
    const cycle = walk(file);
    if (cycle !== null) return cycle;
  }
  return null;
}

describe('the house', () => {
  test('has sources', () => {
    expect(files.length).toBeGreaterThan(50);
  });

  test('has only the rooms of the plan', () => {
    const unknown = files.filter((file) => file.room !== '' && !plan.has(file.room)).map((file) => file.path);
    expect(unknown).toEqual([]);
    expect(files.filter((file) => file.room === '').map((file) => file.path)).toEqual(['index.ts']);
  });

  test('imports go down', () => {
    const wrong = files.flatMap((file) =>
      file.imports
        .map((path) => ({ path, room: path.slice(0, Math.max(0, path.indexOf('/'))) }))
        .filter(({ room }) => file.room !== '' && room !== file.room)
        .filter(({ room }) => !plan.get(file.room)?.includes(room) || refused.get(file.room)?.includes(room))
        .map(({ path }) => `${file.path} imports ${path}`),
    );
    expect(wrong).toEqual([]);
  });

  test('imports name files that are there', () => {
    const missing = files.flatMap((file) =>
      file.imports.filter((path) => !byPath.has(path)).map((path) => `${file.path} imports ${path}`),
    );
    expect(missing).toEqual([]);
  });

  test('has no cycles, types included', () => {
    expect(findCycle()).toBeNull();
  });

  test('keeps files and functions small', () => {
    const large = files
      .filter((file) => file.lines > limits.fileLines)
      .map((file) => `${file.path}: ${file.lines} lines`);
    const long = files.flatMap((file) =>
      file.functions
        .filter((found) => found.lines > limits.functionLines)
        .map((found) => `${file.path} ${found.name}: ${found.lines} lines`),
    );
    expect([...large, ...long]).toEqual([]);
  });

  test('has a README in every room', () => {
    const rooms = readdirSync(sourceFolder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(
      rooms.filter((room) => !existsSync(join(sourceFolder, room.name, 'README.md'))).map((room) => room.name),
    ).toEqual([]);
  });

  test('names files in kebab-case', () => {
    expect(files.map((file) => file.path).filter((path) => !/^[a-z0-9-]+(\/[a-z0-9-]+)*\.ts$/.test(path))).toEqual([]);
  });
});
