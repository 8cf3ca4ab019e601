// quakes: of a feed of earthquakes, lets through the large ones, small and sorted, and raises alerts.
import { emit, Json, Message, metric, Path, refuse, reject, Verdict } from 'weir/plugin';

/** Magnitudes: what is below `least` is dropped, what is at or above `alert` is told of at once. */
let least: f64 = 2.5;
let alert: f64 = 5;

const magnitude: Path = new Path('properties.mag');
/** What subscribers read of an event; the rest does not travel. */
const kept: Path[] = [
  magnitude,
  new Path('properties.place'),
  new Path('properties.time'),
  new Path('properties.tsunami'),
  new Path('geometry.coordinates'),
];

export function onInit(config: Json): void {
  least = numberOf(config, 'least', least);
  alert = numberOf(config, 'alert', alert);
  if (alert < least) refuse(`"alert" is ${alert}: expected ${least} or more, as smaller events are dropped`);
}

export function onMessage(message: Message): Verdict {
  const json = message.json;
  if (json.text('type') != 'Feature') return reject(422, json.valid ? 'this is no GeoJSON feature' : json.problem);
  metric.count('events');
  const size = json.atPath(magnitude).number;
  // NaN, when there is no magnitude, is not at least anything.
  if (!(size >= least)) return Verdict.Drop;
  const network = json.text('properties.net');
  if (size >= alert) {
    const what = `{"magnitude":${size},"place":${json.raw('properties.place')}}`;
    emit(`alerts.${network}`, what);
  }
  json.keep(kept);
  message.subject = `quakes.${network}`;
  return Verdict.Replace;
}

function numberOf(config: Json, key: string, otherwise: f64): f64 {
  return config.has(key) ? config.number(key) : otherwise;
}
