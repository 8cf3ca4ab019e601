// Runs the story: a plugin is built to a WebAssembly component, and put to work on a living broker. `node examples/component/run.mjs`
import { spawnSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { dataSet, serve, weir } from '../weir.mjs';

const module = relative('', join(import.meta.dirname, 'build', 'readings.wasm'));
const feed = 'station.csv';

function build() {
  const script = relative('', join(import.meta.dirname, 'build.mjs'));
  console.log(`$ node ${script}`);
  const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`the component could not be built: ${status}`);
}

/** Sends a year of Seattle's weather, hour by hour, and says what came out. */
async function replay(client, lines) {
  const heard = [];
  client.subscribe(feed, { callback: (_error, message) => heard.push(message.json()) });
  for (const line of lines) client.publish(feed, line);
  await client.flush();
  const mean = heard.reduce((sum, { temperature }) => sum + temperature, 0) / heard.length;
  console.log(`\n${lines.length} lines went in, such as\n  ${lines[0]}`);
  console.log(`${heard.length} readings came out, ${mean.toFixed(2)} degrees in the mean, such as`);
  console.log(`  ${JSON.stringify(heard[0])}`);
}

async function refuse(client, line) {
  const { headers } = await client.request(feed, line);
  console.log(`\nWhoever sends "${line}" as a request is told: ${headers.code} ${headers.description}`);
}

build();
const server = await serve('-a', '127.0.0.1', '-p', '-1');
try {
  const { url } = server;
  console.log(`\nThe broker is up: ${url}`);
  weir('plugin', 'inspect', module);
  weir('plugin', 'test', module);
  weir('plugin', 'install', module, '-s', url);
  weir('plugin', 'attach', 'readings', feed, '-s', url);
  const client = await connect({ servers: url });
  const [heading, ...lines] = dataSet('seattle-weather-hourly-normals.csv').trim().split(/\r?\n/);
  await replay(client, lines);
  await refuse(client, heading);
  await client.close();
  weir('plugin', 'ls', '-s', url);
} finally {
  await server.stop();
}
