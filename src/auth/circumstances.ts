import { BlockList, isIP } from 'node:net';
import type { UserLimits } from './user-claims.js';

/** Whether an address is in one of the networks; without networks every address is. */
export function isFrom(networks: readonly string[], address: string): boolean {
  if (networks.length === 0) return true;
  const family = isIP(address);
  if (family === 0) return false;
  const list = new BlockList();
  for (const network of networks) {
    const [base, bits] = network.split('/', 2);
    const type = isIP(base);
    if (type === 0 || !/^\d{1,3}$/.test(bits ?? '') || Number(bits) > (type === 4 ? 32 : 128)) return false;
    list.addSubnet(base, Number(bits), type === 4 ? 'ipv4' : 'ipv6');
  }
  return list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

const DAY_SECONDS = 86_400;

/**
 * For how long (milliseconds) somebody may be here who may only be at certain times of the day; 0 is not now, null is without end.
 */
export function stayMs({ times, timeZone }: Pick<UserLimits, 'times' | 'timeZone'>, nowMs: number): number | null {
  if (times.length === 0) return null;
  const now = secondsOfDay(nowMs, timeZone);
  if (now === null) return 0;
  let most = 0;
  for (const { start, end } of times) {
    const [from, to] = [secondsOf(start), secondsOf(end)];
    if (from === null || to === null) return 0;
    // An end before the start is tomorrow.
    const length = (to - from + DAY_SECONDS) % DAY_SECONDS || DAY_SECONDS;
    const gone = (now - from + DAY_SECONDS) % DAY_SECONDS;
    if (gone < length) most = Math.max(most, (length - gone) * 1000);
  }
  return most;
}

function secondsOf(time: string): number | null {
  const [, hours, minutes, seconds] = /^(\d{1,2}):(\d{2}):(\d{2})$/.exec(time) ?? [];
  if (hours === undefined || Number(hours) > 23) return null;
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

/** The time of the day somewhere; empty is here. Null when nobody knows the place. */
function secondsOfDay(nowMs: number, timeZone: string): number | null {
  try {
    const format = new Intl.DateTimeFormat('en-GB', {
      hourCycle: 'h23',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      ...(timeZone !== '' && { timeZone }),
    });
    return secondsOf(format.format(nowMs));
  } catch {
    return null;
  }
}
