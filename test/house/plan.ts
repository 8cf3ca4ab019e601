/**
 * The plan of the house: what each room of `src/` may import beside itself. Rooms of one floor are strangers to one another, but
 * for the order that floors 1 and 3 have within themselves.
 */
const ground = ['base'];
const words = ['subject', 'message', 'wire'];
const engines = ['auth', 'sandbox', 'storage', 'net'];
const heart = ['workers', 'host', 'broker', 'stream'];
const doors = ['client', 'mqtt', 'cluster', 'monitor'];

const below = (...floors: string[][]): string[] => floors.flat();

/** A floor whose rooms may import those before them. */
function inOrder(rooms: string[], lower: string[]): [string, string[]][] {
  return rooms.map((room, i) => [room, [...lower, ...rooms.slice(0, i)]]);
}

/** A floor whose rooms may not import each other. */
function strangers(rooms: string[], lower: string[]): [string, string[]][] {
  return rooms.map((room) => [room, lower]);
}

export const plan: ReadonlyMap<string, string[]> = new Map([
  ...strangers(ground, []),
  ...inOrder(words, ground),
  ...strangers(engines, below(ground, words)),
  ...inOrder(heart, below(ground, words, engines)),
  ...strangers(doors, below(ground, words, engines, heart)),
  // Under the roof: settings, then the wiring that uses them, then the commands that start it.
  ...inOrder(['config', 'server', 'cli'], below(ground, words, engines, heart, doors)),
]);

/** The engine knows no subject, message or protocol: it would not be a sandbox for anything else. */
export const refused: ReadonlyMap<string, string[]> = new Map([
  ['sandbox', ['subject', 'message', 'wire']],
  ['workers', ['subject', 'message', 'wire', 'auth', 'storage', 'net']],
  ['net', ['subject', 'message']],
  ['storage', ['wire']],
  ['broker', ['net', 'wire']],
  ['host', ['net']],
]);
