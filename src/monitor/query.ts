/** A query that cannot be answered; the text is what the client gets with status 400, in nats-server's words. */
export class BadQuery extends Error {}

const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

export function booleanOf(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? '';
  if (text === '' || FALSE.includes(text)) return false;
  if (TRUE.includes(text)) return true;
  throw new BadQuery(
    `Error decoding boolean for '${name}': strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

/** A whole number; 0 without. */
function integerOf(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '';
  if (text === '') return 0;
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text);
  throw new BadQuery(`Error decoding int for '${name}': strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** A number of a connection; 0 without. */
export function connectionIdOf(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '';
  if (text === '') return 0;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new BadQuery(
    `Error decoding uint64 for '${name}': strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

const PAGE_ITEMS = 1024;

/** The part of a list that was asked for. */
export function pageOf(query: URLSearchParams): { offset: number; limit: number } {
  const offset = Math.max(0, integerOf(query, 'offset'));
  const limit = integerOf(query, 'limit');
  return { offset, limit: limit <= 0 ? PAGE_ITEMS : limit };
}
