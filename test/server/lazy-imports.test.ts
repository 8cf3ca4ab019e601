import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';

const source = join(import.meta.dirname, '..', '..', 'src');

/** Packages and Node's modules that a file loads before it does anything: its static imports and theirs, types aside. */
function loadedBy(entries: readonly string[]): string[] {
  const seen = new Set<string>();
  const outside = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = readFileSync(path, 'utf8');
    for (const [, names, from] of text.matchAll(
      /^(?:import|export)\s+(?!type\b)(?:([^'";]*?)\s*from\s+)?'([^']+)';/gm,
    )) {
      if (onlyTypes(names)) continue;
      if (from.startsWith('.')) visit(join(dirname(path), from.replace(/\.js$/, '.ts')));
      else outside.add(from);
    }
  };
  for (const entry of entries) visit(join(source, entry));
  return [...outside].sort();
}

/** `{ type A, type B }` loads nothing. */
function onlyTypes(names = ''): boolean {
  const [, listed] = /^\{([^}]*)\}$/.exec(names.trim()) ?? [];
  return listed?.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type ')) ?? false;
}

/** Each of Node's own modules here costs a plain start well under a millisecond; HTTP and the packages cost ten and more. */
const PLAIN = ['node:crypto', 'node:fs', 'node:net', 'node:os', 'node:path', 'node:worker_threads'];

it('a plain start of the command loads no package, and little of Node', () => {
  const loaded = loadedBy(['cli/nats-server.ts', 'cli/run-server.ts', 'cli/server-process.ts']);
  expect(loaded.filter((name) => !PLAIN.includes(name))).toEqual([]);
  expect(loaded).toContain('node:net');
});

it('an import of the library loads no package either', () => {
  expect(loadedBy(['index.ts']).filter((name) => !PLAIN.includes(name))).toEqual([]);
});
