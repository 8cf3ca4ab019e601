/** A JSON object of which nothing is known yet. Readers give what is absent, or of another type, its default. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

export function fieldsOf(from: Fields, key: string): Fields {
  const value = from[key];
  return isFields(value) ? value : {};
}

export function textOf(from: Fields, key: string): string {
  const value = from[key];
  return typeof value === 'string' ? value : '';
}

export function flagOf(from: Fields, key: string): boolean {
  return from[key] === true;
}

export function numberOf(from: Fields, key: string, absent = 0): number {
  const value = from[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : absent;
}

/** A list of texts; one text alone is a list of it. */
export function textsOf(from: Fields, key: string): string[] {
  const value = from[key];
  if (typeof value === 'string') return value === '' ? [] : [value];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

export function listOf(from: Fields, key: string): Fields[] {
  const value = from[key];
  return Array.isArray(value) ? value.filter(isFields) : [];
}
