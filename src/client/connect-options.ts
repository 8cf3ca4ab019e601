/** What a client says in CONNECT. Fields that it leaves out keep nats-server's defaults. */
export interface ConnectOptions {
  verbose: boolean;
  pedantic: boolean;
  echo: boolean;
  headers: boolean;
  noResponders: boolean;
  protocol: number;
  tlsRequired: boolean;
  name: string;
  language: string;
  version: string;
  user: string;
  password: string;
  token: string;
  nkey: string;
  jwt: string;
  signature: string;
  account: string;
}

/** A CONNECT that leaves `verbose` out gets `+OK` after every operation: the default is true. */
export const DEFAULT_CONNECT: Readonly<ConnectOptions> = {
  verbose: true,
  pedantic: true,
  echo: true,
  headers: false,
  noResponders: false,
  protocol: 0,
  tlsRequired: false,
  name: '',
  language: '',
  version: '',
  user: '',
  password: '',
  token: '',
  nkey: '',
  jwt: '',
  signature: '',
  account: '',
};

/** CONNECT's JSON key, our field, the JSON type. */
const FIELDS: readonly [string, keyof ConnectOptions, 'boolean' | 'number' | 'string'][] = [
  ['verbose', 'verbose', 'boolean'],
  ['pedantic', 'pedantic', 'boolean'],
  ['echo', 'echo', 'boolean'],
  ['headers', 'headers', 'boolean'],
  ['no_responders', 'noResponders', 'boolean'],
  ['protocol', 'protocol', 'number'],
  ['tls_required', 'tlsRequired', 'boolean'],
  ['name', 'name', 'string'],
  ['lang', 'language', 'string'],
  ['version', 'version', 'string'],
  ['user', 'user', 'string'],
  ['pass', 'password', 'string'],
  ['auth_token', 'token', 'string'],
  ['nkey', 'nkey', 'string'],
  ['jwt', 'jwt', 'string'],
  ['sig', 'signature', 'string'],
  ['account', 'account', 'string'],
];

/** Go matches JSON keys in any case. */
const FIELD_BY_KEY = new Map(FIELDS.map((field) => [field[0], field]));

/**
 * Reads CONNECT's JSON over the options so far (a client may send CONNECT again). Unknown keys are ignored, `null` leaves a field as it
 * is. Returns the text of what is wrong when it is not an object or a field has the wrong type.
 */
export function readConnect(json: string, before: Readonly<ConnectOptions>): ConnectOptions | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    return `invalid CONNECT JSON: ${(error as Error).message}`;
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) {
    return 'invalid CONNECT JSON: expected an object';
  }
  const options: ConnectOptions = { ...before };
  for (const [key, value] of Object.entries(parsed)) {
    const field = FIELD_BY_KEY.get(key.toLowerCase());
    if (field === undefined || value === null) continue;
    const [name, target, type] = field;
    const fits = typeof value === type && (type !== 'number' || Number.isInteger(value));
    // The value is not told: it may be a password.
    const expected = type === 'number' ? 'a whole number' : `a ${type}`;
    if (!fits) return `invalid CONNECT JSON: ${JSON.stringify(name)} is ${foundType(value)}, expected ${expected}`;
    Object.assign(options, { [target]: value });
  }
  return options;
}

function foundType(value: unknown): string {
  if (typeof value === 'object') return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'number' && !Number.isInteger(value) ? 'a fraction' : `a ${typeof value}`;
}
