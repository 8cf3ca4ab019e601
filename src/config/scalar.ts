import { configError, type Place } from './place.js';

/** A value that is not made of others. Dates keep their text. */
export interface ConfigScalar {
  kind: 'string' | 'number' | 'boolean' | 'date';
  value: string | number | boolean;
  place: Place;
}

const TRUE = ['true', 'yes', 'on'];
const FALSE = ['false', 'no', 'off'];
const INTEGER = /^(-?\d+)(?:([kmgtpe])(b|ib|i)?)?$/i;
const POWERS = 'kmgtpe';
/** Integers have 64 bits; beyond 53 of them a value is the nearest that a double can hold. */
const INTEGER_MAX = 2 ** 63;

/** A word without quotes as what it looks like: boolean, number with a size suffix, date, or text. */
export function scalarOf(text: string, place: Place): ConfigScalar {
  const lower = text.toLowerCase();
  if (TRUE.includes(lower)) return { kind: 'boolean', value: true, place };
  if (FALSE.includes(lower)) return { kind: 'boolean', value: false, place };
  const integer = INTEGER.exec(text);
  if (integer !== null) return { kind: 'number', value: sized(integer, place), place };
  if (/^-?\d+\.\d+$/.test(text)) return { kind: 'number', value: Number(text), place };
  if (/^(?:-|\.\d)/.test(text)) {
    throw configError(place, `${JSON.stringify(text)} is not a number; a text that begins so needs quotes`);
  }
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text)) return { kind: 'date', value: checkedDate(text, place), place };
  return { kind: 'string', value: text, place };
}

/** `k` is 1000; `kb`, `ki` and `kib` are 1024. */
function sized([text, digits, suffix, binary]: RegExpExecArray, place: Place): number {
  const power = suffix === undefined ? 0 : POWERS.indexOf(suffix.toLowerCase()) + 1;
  const value = Number(digits) * (binary === undefined ? 1000 : 1024) ** power;
  if (value >= -INTEGER_MAX && value <= INTEGER_MAX) return value + 0;
  throw configError(place, `integer '${text}' is out of the range`);
}

function checkedDate(text: string, place: Place): string {
  const date = new Date(text);
  // `new Date` carries a 31st of February over into March.
  if (!Number.isNaN(date.getTime()) && date.toISOString() === text.replace('Z', '.000Z')) return text;
  throw configError(place, `${JSON.stringify(text)} is not a date of the calendar`);
}
