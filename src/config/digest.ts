import { createHash } from 'node:crypto';
import type { ConfigMap, ConfigValue } from './grammar.js';

/**
 * `sha256:…` over a configuration's values, the same as nats-server's: JSON with sorted keys, as Go writes it. It changes with what a
 * file means, included files too, and not with its comments.
 */
export function digestOf(document: ConfigMap): string {
  return `sha256:${createHash('sha256')
    .update(`${json(document)}\n`)
    .digest('hex')}`;
}

function json(value: ConfigValue): string {
  if (value.kind === 'array') return `[${value.items.map(json).join(',')}]`;
  if (value.kind !== 'map') return scalar(value.value);
  const entries = [...value.entries].sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([key, entry]) => `${scalar(key)}:${json(entry.value)}`).join(',')}}`;
}

function scalar(value: string | number | boolean): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (letter) => {
    return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
