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

function nameOf(location) {
  return location.toLowerCase().replace(' ', '-');
}

function publish(station, days) {
  let bytes = 0;
  for (const day of days) {
    const payload = Buffer.from(JSON.stringify(day));
    bytes += payload.length;
    station.publish(`sensors.${nameOf(day.location)}`, payload);
  }
  return bytes;
}

/** Adds up the windows of a station until all its days are in them. */
async function gather(controlRoom, days) {
  const stations = new Map();
  const subscription = controlRoom.subscribe('warmth.*');
  await controlRoom.flush();
  return async () => {
    let counted = 0;
    for await (const message of subscription) {
      const { key, count, min, max, mean } = message.json();
      const before = stations.get(key) ?? { count: 0, min, max, sum: 0 };
      stations.set(key, {
        count: before.count + count,
        min: Math.min(before.min, min),
        max: Math.max(before.max, max),
        sum: before.sum + mean * count,
      });
      counted += count;
      if (counted === days) break;
    }
    return stations;
  };
}

async function tellOfThermometers(station, controlRoom, days) {
  let reports = 0;
  controlRoom.subscribe('thermometers.*', { callback: () => reports++ });
  await controlRoom.flush();
  for (const { location, temp_max } of days) {
    station.publish(`thermometers.${nameOf(location)}`, JSON.stringify({ celsius: temp_max }));
  }
  await station.flush();
  await controlRoom.flush();
  console.log(`\n${days.length} temperatures became ${reports} reports of a change.`);
}

async function tell(url) {
  const [station, controlRoom] = await Promise.all([connect({ servers: url }), connect({ servers: url })]);
  const days = readDays();
  console.log(`\nThe stations send days such as\n  ${JSON.stringify(days[0])}\nThe control room gets storms, such as`);
  const arrived = await listen(controlRoom, 5);
  const gathered = await gather(controlRoom, days.length);
  const bytes = publish(station, days);
  await station.flush();
  await controlRoom.flush();
  const saved = ((1 - arrived.bytes / bytes) * 100).toFixed(1);
  console.log(`\n${days.length} readings of ${bytes} bytes went in.`);
  console.log(`${arrived.messages} readings of ${arrived.bytes} bytes came out: ${saved} % of the link is free.`);
  await tellOfThermometers(station, controlRoom, days);
  console.log('\nAnd of all days:');
  for (const [name, { count, min, max, sum }] of await gathered()) {
    console.log(`  ${name}: ${count} days, ${min} to ${max} °C, ${(sum / count).toFixed(1)} °C on average`);
  }
  console.log();
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
