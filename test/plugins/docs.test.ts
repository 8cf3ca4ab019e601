import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runCases } from '../../src/cli/plugin-cases.js';
import { compiled, root } from './guest.js';

/** A plugin that a document shows, and the files of cases below it. */
interface Example {
  line: number;
  source: string;
  caseFiles: string[];
}

const documents = ['README.md', 'plugins/README.md', 'plugins/sdk/README.md'];
const folder = mkdtempSync(join(tmpdir(), 'weir-examples-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FENCED = /^```(ts|json)\n(.*?)^```$/gms;

/** Blocks of `ts` with an `onMessage` are plugins; blocks of `json` with cases belong to the one before them. */
function examplesOf(document: string): Example[] {
  const text = readFileSync(join(root, document), 'utf8');
  const examples: Example[] = [];
  for (const { 0: whole, 1: language, 2: block, index } of text.matchAll(FENCED)) {
    if (language === 'ts' && block.includes('function onMessage(')) {
      examples.push({ line: text.slice(0, index).split('\n').length, source: block, caseFiles: [] });
    } else if (/"(cases|expectConfigError)"/.test(whole)) examples.at(-1)?.caseFiles.push(block);
  }
  return examples;
}

describe.each(documents)('the plugins shown in %s', (document) => {
  const examples = examplesOf(document);
  test('are there', () => expect(examples.length).toBeGreaterThan(0));

  test.each(examples)('line $line compiles, and its cases pass', { timeout: 60_000 }, async (example) => {
    const plugin = mkdtempSync(join(folder, 'plugin-'));
    mkdirSync(join(plugin, 'assembly'));
    writeFileSync(join(plugin, 'assembly', 'index.ts'), example.source);
    const prepared = await compiled(plugin);
    for (const [i, text] of example.caseFiles.entries()) {
      const file = join(plugin, `${i}.json`);
      writeFileSync(file, text);
      for (const result of runCases(prepared, file)) expect(result).toMatchObject({ difference: null });
    }
  });
});

describe('the reference of the SDK', () => {
  const reference = readFileSync(join(root, 'plugins', 'sdk', 'README.md'), 'utf8');
  const sourceOf = (name: string) => readFileSync(join(root, 'plugins', 'sdk', 'assembly', `${name}.ts`), 'utf8');
  /** Names as code, alone or with what they take. */
  const isNamed = (name: string) => new RegExp(`\`([^\`]*[ .])?${name}\\b[^\`]*\``).test(reference);
  /** For the contract's entry, not for authors. */
  const inner = ['TOO_MUCH', 'endInit', 'endRestore', 'open', 'writeChanges', 'isTouched', 'writeJson'];

  function exportsOf(source: string): string[] {
    const own = [...source.matchAll(/^export (?:enum|class|const|function|namespace) (\w+)/gm)].map(([, name]) => name);
    const passedOn = [...source.matchAll(/^export \{([^}]*)\} from/gm)].flatMap(([, names]) => names.split(','));
    return [...own, ...passedOn.map((name) => name.trim())];
  }

  function membersOf(source: string): string[] {
    const members = /^ {2}(?:readonly |get |set )?(\w+)(?:\(|: )/gm;
    return [...source.matchAll(members)].map(([, name]) => name).filter((name) => name !== 'constructor');
  }

  function missing(names: string[]): string[] {
    return [...new Set(names)].filter((name) => !inner.includes(name) && !isNamed(name));
  }

  test('names all that weir/plugin and weir/policy export', () => {
    for (const file of ['plugin', 'policy', 'group']) expect(missing(exportsOf(sourceOf(file)))).toEqual([]);
  });

  test.each([
    ['message', 'Message'],
    ['json', 'Json'],
    ['value', 'Value'],
    ['path', 'Path'],
    ['table', 'Table'],
    ['keys', 'Keys'],
    ['group', 'Groups'],
    ['template', 'SubjectTemplate'],
    ['memory', 'Buffer'],
  ])('names every public member of %s.ts', (file, name) => {
    const source = sourceOf(file);
    const start = source.indexOf(`export class ${name} `);
    const members = membersOf(source.slice(start, source.indexOf('\n}', start)));
    expect(members.length).toBeGreaterThan(2);
    expect(missing(members)).toEqual([]);
  });
});
