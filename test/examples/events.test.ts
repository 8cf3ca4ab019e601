import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cli, projectFolder } from '../cli/weir.js';

test('examples/events checks, masks and completes orders, and says what is wrong with others', {
  timeout: 60_000,
}, async () => {
  const script = join(projectFolder, 'examples', 'events', 'run.mjs');
  const { code, stdout, stderr } = await new Cli([], { script }).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [, arrived] = stdout.split('The warehouse gets\n');
  const orders = arrived.split('\n').slice(0, 2);
  expect(orders.map((line) => JSON.parse(line))).toEqual([
    {
      ...{ id: 'o-1', product: 'tea', quantity: 2, price: { net: 4.5, tax: 0.07 } },
      customer: { name: 'Ada', mail: '….org', card: '…1111' },
    },
    { id: 'o-2', product: 'pot', quantity: 1, customer: { name: 'Bo' }, price: { net: 29, tax: 0.19 } },
  ]);
  expect(stdout.match(/^ {2}422 .*$/gm)).toEqual([
    '  422 "quantity" is 0, which is not within its limits',
    '  422 "product" is "car", which is none of the values that it may be',
    '  422 "customer" is missing',
    '  422 "admin" is not known',
    expect.stringContaining('  422 the payload is not JSON'),
  ]);
});
