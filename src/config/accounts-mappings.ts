import { describe } from '../base/failure.js';
import type { MappingSettings } from '../broker/account-settings.js';
import { isFilter } from '../subject/subject.js';
import { SubjectTransform } from '../subject/transform.js';
import type { ConfigMap, ConfigValue } from './grammar.js';
import { configError } from './place.js';
import { map, type Read, text } from './values.js';

type Destination = MappingSettings['destinations'][number];

const weight: Read<number> = (value, key) => {
  const percent = value.kind === 'number' ? String(value.value) : text(value, key).replace(/%$/, '');
  if (!/^-?\d+$/.test(percent))
    throw configError(value.place, `Invalid weight ${JSON.stringify(percent)} for mapping destination`);
  const number = Number(percent);
  if (number >= 0 && number <= 100) return number;
  throw configError(value.place, `Invalid weight ${number} for mapping destination`);
};

function destination(block: ConfigMap): Destination {
  const read = { subject: '', weight: -1, cluster: '' };
  for (const [key, { value, keyPlace, usedAsVariable }] of block.entries) {
    const name = key.toLowerCase();
    if (name === 'dest' || name === 'destination') read.subject = text(value, key);
    else if (name === 'weight') read.weight = weight(value, key);
    else if (name === 'cluster') read.cluster = text(value, key);
    else if (!usedAsVariable)
      throw configError(keyPlace, `Unknown field ${JSON.stringify(key)} for mapping destination`);
  }
  if (read.weight >= 0) return read;
  throw configError(block.place, `Missing weight for mapping destination ${JSON.stringify(read.subject)}`);
}

/** Reads `mappings { "foo.*": "bar.$1", baz: [{ destination, weight }] }`. */
export function readMappings(value: ConfigValue, key: string): MappingSettings[] {
  return Array.from(map(value, key).entries, ([source, entry]) => {
    const { value: to, keyPlace } = entry;
    const fail = (what: string): never => {
      throw configError(keyPlace, what);
    };
    const quoted = JSON.stringify(source);
    if (!isFilter(source)) fail(`Subject ${quoted} is not a valid subject`);
    if (to.kind === 'string') {
      const subject = text(to, source);
      const why = whyNotMapped(source, [{ subject, weight: 100, cluster: '' }]);
      if (why !== null) fail(`Error adding mapping for ${quoted} to ${JSON.stringify(subject)} : ${why}`);
      return { source, destinations: [{ subject, weight: 100, cluster: '' }] };
    }
    const items = to.kind === 'array' ? to.items : [to];
    const destinations = items.map((item) => {
      if (item.kind !== 'map') throw configError(item.place, 'Expected an entry for the mapping destination');
      return destination(item);
    });
    const why = whyNotMapped(source, destinations);
    if (why !== null) fail(`Error adding mapping for ${quoted} : ${why}`);
    return { source, destinations };
  });
}

/** What is wrong with the destinations of a source, or null. */
export function whyNotMapped(source: string, destinations: readonly Destination[]): string | null {
  const seen = new Set<string>();
  const totals = new Map<string, number>();
  for (const { subject, weight: share, cluster } of destinations) {
    if (seen.has(subject)) return `duplicate entry for ${JSON.stringify(subject)}`;
    seen.add(subject);
    const total = (totals.get(cluster) ?? 0) + share;
    totals.set(cluster, total);
    if (total > 100) return 'total weight needs to be <= 100';
    try {
      new SubjectTransform(source, subject);
    } catch (error) {
      return describe(error);
    }
  }
  return null;
}
