import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RecordKind } from '../../src/sandbox/abi.js';
import { CORE_CONTRACT } from '../../src/sandbox/contract.js';

const root = join(import.meta.dirname, '..', '..');
const document = readFileSync(join(root, 'docs', 'plugin-abi.md'), 'utf8');

test('the document of the contract names its functions', () => {
  const shown = [...document.matchAll(/^\| `(weir_\w+)` \| `\(/gm)].map(([, name]) => name);
  expect(shown.filter((name) => !CORE_CONTRACT.has(name))).toEqual([]);
  const code = readFileSync(join(root, 'src', 'sandbox', 'contract.ts'), 'utf8');
  expect(shown.sort()).toEqual([...code.matchAll(/^ {2}\['(weir_\w+)'/gm)].map(([, name]) => name).sort());
});

test('and the records of the outbox', () => {
  const shown = [...document.matchAll(/^\| (\d) \| (\w+) \|/gm)].map(([, kind, name]) => [name, Number(kind)]);
  const records = shown.slice(shown.findIndex(([name]) => name === 'subject'));
  expect(records).toEqual(Object.entries(RecordKind).sort(([, one], [, other]) => one - other));
});
