// Runs the story: a feed is sorted onto subjects by what its messages say, and the table is changed while it flows. `node examples/routing/run.mjs`
import { connect } from '@nats-io/transport-node';
import { dataSet, serve, weir } from '../weir.mjs';

/** Earthquakes of a week, as the USGS reported them. */
function readEvents() {
  return JSON.parse(dataSet('earthquakes.json')).features.map(({ properties }) => properties);
}

const config = {
  field: 'net',
  routes: { ak: 'quakes.alaska.{type}', hv: 'quakes.hawaii.{type}' },
  to: 'quakes.elsewhere.{net}.{type}',
};

async function listen(client) {
  const counts = new Map();
  client.subscribe('quakes.>', {
    callback: (_error, { subject }) => counts.set(subject, (counts.get(subject) ?? 0) + 1),
  });
  await client.flush();
  return counts;
}

/** Sends the week, and says where it went. */
async function replay(url, events) {
  const [feed, reader] = await Promise.all([connect({ servers: url }), connect({ servers: url })]);
  const counts = await listen(reader);
  for (const event of events) feed.publish('feed', JSON.stringify(event));
  await feed.flush();
  await reader.flush();
  console.log(`\n${events.length} events went in on "feed", and out on`);
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  for (const [subject, count] of sorted.slice(0, 8)) console.log(`  ${String(count).padStart(5)}  ${subject}`);
  console.log(`  and ${Math.max(0, sorted.length - 8)} more`);
  await Promise.all([feed.close(), reader.close()]);
}

const server = await serve('-a', '127.0.0.1', '-p', '-1');
try {
  const { url } = server;
  console.log(`The broker is up: ${url}`);
  weir('plugin', 'install', 'route', '-s', url);
  weir('plugin', 'attach', 'route', 'feed', '--config', JSON.stringify(config), '-s', url);
  const events = readEvents();
  await replay(url, events);
  console.log('\nNow there are readers for California, too. The next message is sorted by the new table:');
  const routes = { ...config.routes, nc: 'quakes.california.{type}', ci: 'quakes.california.{type}' };
  weir('plugin', 'swap', 'route', '--config', JSON.stringify({ ...config, routes }), '-s', url);
  await replay(url, events);
} finally {
  await server.stop();
}
