import { textOf } from '../base/bytes.js';
import { isLiteralSubjectBytes } from '../subject/subject.js';

const QUOTED_BYTES_MAX = 100;

/** What is wrong with `bytes[start, end)` as a subject that a plugin wrote, or null. `what` names it in the text. */
export function whyNotSubject(what: string, bytes: Uint8Array, start: number, end: number): string | null {
  if (!isLiteralSubjectBytes(bytes, start, end) || hasControlCharacter(bytes, start, end))
    return `${what} ${quoted(bytes, start, end)} is not a valid subject`;
  if (!isOfTheHouse(textOf(bytes, start, Math.min(end, start + 5)))) return null;
  return `${what} ${quoted(bytes, start, end)} is reserved: plugins may not write to subjects that begin with "$", "_R_." or "_GR_."`;
}

/** A client may publish to a subject with a NUL, as to nats-server. No plugin needs to. */
function hasControlCharacter(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] < 0x20 || bytes[i] === 0x7f) return true;
  return false;
}

/** A subject in a text for people: a guest may make it megabytes long. */
export function quoted(bytes: Uint8Array, start: number, end: number): string {
  const cut = end - start > QUOTED_BYTES_MAX;
  const text = JSON.stringify(textOf(bytes, start, cut ? start + QUOTED_BYTES_MAX : end));
  return cut ? `${text}…` : text;
}

/** Subjects that steer servers: the control API, system and stream services, links between servers. */
function isOfTheHouse(beginning: string): boolean {
  return beginning.startsWith('$') || beginning.startsWith('_R_.') || beginning.startsWith('_GR_.');
}
