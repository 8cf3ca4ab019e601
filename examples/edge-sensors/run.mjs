// Runs the story: a gateway with the plugins of edge.conf, two weather stations that publish four years of days, and a control
// room that listens. `node examples/edge-sensors/run.mjs`
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { dataSet, serve } from '../weir.mjs';

/** Daily weather of Seattle and New York, 2012 to 2015, as measured. */
function readDays() {
  const [head, ...rows] = dataSet('weather.csv').trim().split(/\r?\n/);
  const names = head.split(',');
  const value = (cell) => (Number.isFinite(Number(cell)) ? Number(cell) : cell);
  return rows.map((row) => Object.fromEntries(row.split(',').map((cell, i) => [names[i], value(cell)])));
}

/** Listens in the control room; counts, and prints the first messages. */
async function listen(controlRoom, printed) {
  const arrived = { messages: 0, bytes: 0 };
  controlRoom.subscribe('sensors.*', {
    callback: (_error, message) => {
      arrived.bytes += message.data.length;
      if (++arrived.messages <= printed) console.log(`  ${message.subject}  ${message.string()}`);
    },
  });
  await controlRoom.flush();
  return arrived;
}

function publish(station, days) {
  let bytes = 0;
  for (const day of days) {
    const payload = Buffer.from(JSON.stringify(day));
    bytes += payload.length;
    station.publish(`sensors.${day.location.toLowerCase().replace(' ', '-')}`, payload);
  }
  return bytes;
}

async function tell(url) {
  const [station, controlRoom] = await Promise.all([connect({ servers: url }), connect({ servers: url })]);
  const days = readDays();
  console.log(`\nThe stations send days such as\n  ${JSON.stringify(days[0])}\nThe control room gets storms, such as`);
  const arrived = await listen(controlRoom, 5);
  const bytes = publish(station, days);
  await station.flush();
  await controlRoom.flush();
  const saved = ((1 - arrived.bytes / bytes) * 100).toFixed(1);
  console.log(`\n${days.length} readings of ${bytes} bytes went in.`);
  console.log(`${arrived.messages} readings of ${arrived.bytes} bytes came out: ${saved} % of the link is free.`);
  const { attachments } = (await station.request('$WEIR.API.ATTACHMENT.LIST')).json();
  for (const { name, plugin, counters, fuel_per_call: fuel } of attachments) {
    const { calls, dropped, replaced } = counters;
    console.log(`  ${name} (${plugin}): ${calls} calls, ${dropped} dropped, ${replaced} changed, ${fuel} fuel a call`);
  }
  await Promise.all([station.close(), controlRoom.close()]);
}

// As on a real gateway.
const gateway = await serve('-c', join(import.meta.dirname, 'edge.conf'));
try {
  console.log(`The gateway is up: ${gateway.url}`);
  await tell(gateway.url);
} finally {
  await gateway.stop();
}
