/** What a field of a cron line may hold, and names for it. */
interface Field {
  least: number;
  most: number;
  names: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const FIELDS: readonly Field[] = [
  { least: 0, most: 59, names: [] },
  { least: 0, most: 59, names: [] },
  { least: 0, most: 23, names: [] },
  { least: 1, most: 31, names: [] },
  { least: 1, most: 12, names: MONTHS },
  { least: 0, most: 7, names: DAYS },
];
/** Further than this nothing is looked for: 29 February may be eight years away. */
const YEARS_MAX = 9;

/** A cron line of six fields: second, minute, hour, day of the month, month, day of the week. */
export class Cron {
  private readonly seconds: number[];
  private readonly minutes: number[];
  private readonly hours: number[];
  private readonly days: ReadonlySet<number>;
  private readonly months: ReadonlySet<number>;
  private readonly weekdays: ReadonlySet<number>;
  private readonly anyDay: boolean;
  private readonly anyWeekday: boolean;

  private constructor(texts: readonly string[], sets: readonly number[][]) {
    [this.seconds, this.minutes, this.hours] = sets;
    this.days = new Set(sets[3]);
    this.months = new Set(sets[4]);
    this.weekdays = new Set(sets[5].map((day) => day % 7));
    this.anyDay = /^[*?]/.test(texts[3]);
    this.anyWeekday = /^[*?]/.test(texts[5]);
  }

  /** Null when the line is not one. */
  static parse(line: string): Cron | null {
    const texts = line.trim().toLowerCase().split(/\s+/);
    if (texts.length !== FIELDS.length) return null;
    const sets = texts.map((text, i) => valuesOf(text, FIELDS[i]));
    return sets.every((set) => set !== null) ? new Cron(texts, sets as number[][]) : null;
  }

  /** The first time after this one, in ms; null when there is none. Times are those of the zone, as an offset tells. */
  next(afterMs: number, offsetMs: (timeMs: number) => number): number | null {
    const wallMs = afterMs + offsetMs(afterMs);
    const start = new Date(wallMs);
    let day = Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate());
    const lastDay = day + YEARS_MAX * 366 * DAY_MS;
    for (; day <= lastDay; day += DAY_MS) {
      if (!this.isDay(new Date(day))) continue;
      const found = this.timeOfDay(day, wallMs);
      if (found !== null) return found - offsetMs(found - offsetMs(found));
    }
    return null;
  }

  private isDay(date: Date): boolean {
    if (!this.months.has(date.getUTCMonth() + 1)) return false;
    const byDay = this.days.has(date.getUTCDate());
    const byWeekday = this.weekdays.has(date.getUTCDay());
    return this.anyDay || this.anyWeekday ? byDay && byWeekday : byDay || byWeekday;
  }

  private timeOfDay(day: number, afterMs: number): number | null {
    for (const hour of this.hours)
      for (const minute of this.minutes) {
        const minuteMs = day + (hour * 60 + minute) * 60_000;
        if (minuteMs + 60_000 <= afterMs) continue;
        for (const second of this.seconds) if (minuteMs + second * 1000 > afterMs) return minuteMs + second * 1000;
      }
    return null;
  }
}

const DAY_MS = 86_400_000;

/** The numbers that a field such as `1-5,10/2` or `mon` stands for, ascending; null when it is wrong. */
function valuesOf(text: string, field: Field): number[] | null {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [, range, step = '1'] = /^([^/]+)(?:\/(\d+))?$/.exec(part) ?? [];
    if (range === undefined || Number(step) < 1) return null;
    const [from, to = part.includes('/') ? String(field.most) : range] = /^[*?]$/.test(range)
      ? [String(field.least), String(field.most)]
      : range.split('-');
    const first = numberOf(from, field);
    const last = numberOf(to, field);
    if (first === null || last === null || first > last) return null;
    for (let value = first; value <= last; value += Number(step)) values.add(value);
  }
  return [...values].sort((one, other) => one - other);
}

function numberOf(text: string, { least, most, names }: Field): number | null {
  const named = names.indexOf(text);
  const value = named >= 0 ? named + least : /^\d{1,2}$/.test(text) ? Number(text) : -1;
  return value >= least && value <= most ? value : null;
}
