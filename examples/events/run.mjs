// Runs the story: a shop's orders are checked, masked and completed on their way. `node examples/events/run.mjs`
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { serve } from '../weir.mjs';

const customer = { name: 'Ada', mail: 'ada@example.org', card: '4111111111111111' };
const good = [
  { id: 'o-1', product: 'tea', quantity: 2, customer },
  { id: 'o-2', product: 'pot', quantity: 1, customer: { name: 'Bo' } },
];
const bad = [
  { id: 'o-3', product: 'tea', quantity: 0, customer },
  { id: 'o-4', product: 'car', quantity: 1, customer },
  { id: 'o-5', product: 'cup', quantity: 1 },
  { id: 'o-6', product: 'cup', quantity: 1, customer, admin: true },
];

async function tell(url) {
  const [shop, warehouse] = await Promise.all([connect({ servers: url }), connect({ servers: url })]);
  warehouse.subscribe('orders.new', {
    callback: (_error, message) => {
      console.log(`  ${message.string()}`);
      message.respond('taken');
    },
  });
  await warehouse.flush();
  console.log('\nThe shop sends orders such as');
  console.log(`  ${JSON.stringify(good[0])}\nThe warehouse gets`);
  for (const order of good) await shop.request('orders.new', JSON.stringify(order));
  console.log('\nWhat is no order reaches nobody, and the shop is told why:');
  for (const order of [...bad.map((one) => JSON.stringify(one)), '{"id":"o-7"']) {
    const { headers } = await shop.request('orders.new', order);
    console.log(`  ${headers.code} ${headers.description}`);
  }
  await Promise.all([shop.close(), warehouse.close()]);
}

const server = await serve('-c', join(import.meta.dirname, 'events.conf'));
try {
  console.log(`The broker is up: ${server.url}`);
  await tell(server.url);
} finally {
  await server.stop();
}
