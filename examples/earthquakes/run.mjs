// Runs the story: a plugin of one's own is tested, installed and attached to a living broker, which a feed of earthquakes goes through; then its
// configuration is changed while it runs. `node examples/earthquakes/run.mjs`
import { join, relative } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { dataSet, serve, weir } from '../weir.mjs';

const folder = relative('', join(import.meta.dirname, 'quakes'));
const feed = 'feed.usgs';

/** A week of earthquakes as the USGS reported them: GeoJSON features. */
function readEvents() {
  return JSON.parse(dataSet('earthquakes.json')).features;
}

/** Counts and keeps what comes on a subject. */
async function listen(client, subject) {
  const heard = { messages: 0, bytes: 0, first: [] };
  client.subscribe(subject, {
    callback: (_error, message) => {
      heard.messages++;
      heard.bytes += message.data.length;
      if (heard.first.length < 3) heard.first.push(`${message.subject}  ${message.string()}`);
    },
  });
  await client.flush();
  return heard;
}

/** Sends the whole week, and says what came of it. */
async function replay(client, subscriber, events) {
  const [quakes, alerts] = await Promise.all([listen(subscriber, 'quakes.*'), listen(subscriber, 'alerts.*')]);
  let bytes = 0;
  for (const event of events) {
    const payload = JSON.stringify(event);
    bytes += payload.length;
    client.publish(feed, payload);
  }
  await client.flush();
  await subscriber.flush();
  console.log(`\n${events.length} events of ${bytes} bytes went in; out came`);
  console.log(`  ${quakes.messages} quakes of ${quakes.bytes} bytes, such as`);
  for (const line of quakes.first) console.log(`    ${line}`);
  console.log(`  ${alerts.messages} alerts${alerts.messages === 0 ? '' : ', such as'}`);
  for (const line of alerts.first) console.log(`    ${line}`);
}

async function refuse(client) {
  const answer = await client.request(feed, '{"type": "Point"}');
  console.log(
    `\nWhoever sends something else as a request is told: ${answer.headers.code} ${answer.headers.description}`,
  );
}

async function tell(url) {
  const events = readEvents();
  const at = ['-s', url];
  weir('plugin', 'test', folder);
  weir('plugin', 'install', folder, ...at);
  const grants = ['--grant-emit', 'alerts.*', '--grant-metric'];
  weir('plugin', 'attach', 'quakes', 'feed.*', '--config', '{"least": 2.5, "alert": 6}', ...grants, ...at);
  const [publisher, one, other] = await Promise.all([1, 2, 3].map(() => connect({ servers: url })));
  await replay(publisher, one, events);
  await refuse(publisher);
  console.log('\nSix is too rare for an alert, and 2.5 too small to care. No message is lost while that changes:');
  weir('plugin', 'swap', 'quakes', '--config', '{"least": 4.5, "alert": 5.5}', ...at);
  await one.close();
  await replay(publisher, other, events);
  weir('plugin', 'ls', ...at);
  await Promise.all([publisher.close(), other.close()]);
}

const server = await serve('-a', '127.0.0.1', '-p', '-1');
try {
  console.log(`The broker is up: ${server.url}`);
  await tell(server.url);
} finally {
  await server.stop();
}
