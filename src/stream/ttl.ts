import { parseDuration } from './time.js';

/** Seconds of `Nats-TTL`: a number, a duration, or `never` (-1); null when it is none of them. */
export function readTtl(text: string): number | null {
  if (text === 'never') return -1;
  const seconds = /^\d+$/.test(text) ? Number(text) : Math.floor((parseDuration(text) ?? -1000) / 1000);
  return seconds > 0 && Number.isSafeInteger(seconds) ? seconds : null;
}
