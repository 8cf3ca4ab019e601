/** The texts of `-ERR`, letter for letter as nats-server sends them: clients compare them. */
export const ErrorText = {
  unknownOperation: 'Unknown Protocol Operation',
  authorizationViolation: 'Authorization Violation',
  authenticationTimeout: 'Authentication Timeout',
  authenticationRevoked: 'User Authentication Revoked',
  accountExpired: 'Account Authentication Expired',
  authenticationExpired: 'User Authentication Expired',
  failedAccountRegistration: 'Failed Account Registration',
  maximumAccountConnections: 'maximum account active connections exceeded',
  maximumConnections: 'maximum connections exceeded',
  maximumPayload: 'Maximum Payload Violation',
  maximumSubscriptions: 'maximum subscriptions exceeded',
  staleConnection: 'Stale Connection',
  throttled: 'Connection throttling is active. Please try again later.',
  tlsRequired: 'Secure Connection - TLS Required',
  invalidClientProtocol: 'invalid client protocol',
  noRespondersNeedsHeaders: 'no responders requires headers support',
  invalidPublishSubject: 'Invalid Publish Subject',
  invalidSubject: 'Invalid Subject',
  maximumControlLine: 'maximum control line exceeded',
} as const;

/**
 * Bytes as Go's `%q` prints them: in double quotes, with escapes for what cannot be printed and for what is not UTF-8. What comes out
 * is UTF-8 whatever went in.
 */
export function quoteGo(bytes: Uint8Array): string {
  let quoted = '"';
  for (let i = 0; i < bytes.length; ) {
    const length = lettersLength(bytes, i);
    if (length === 0) quoted += hexEscape('x', bytes[i++], 2);
    else {
      quoted += quoteLetter(Buffer.from(bytes.buffer, bytes.byteOffset + i, length).toString('utf8'));
      i += length;
    }
  }
  return quoted + '"';
}

/** Bytes of the UTF-8 letter at `at`, or 0 when there is none. */
function lettersLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const letter = Buffer.from(bytes.buffer, bytes.byteOffset + at, length);
  // Overlong forms and surrogates come back as something else.
  return Buffer.from(letter.toString('utf8'), 'utf8').equals(letter) ? length : 0;
}

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

function quoteLetter(letter: string): string {
  const code = letter.codePointAt(0)!;
  if (letter === '"' || letter === '\\') return '\\' + letter;
  if (PRINTABLE.test(letter)) return letter;
  const known = ESCAPES.get(code);
  if (known !== undefined) return known;
  if (code < 0x20 || code === 0x7f) return hexEscape('x', code, 2);
  return code < 0x10000 ? hexEscape('u', code, 4) : hexEscape('U', code, 8);
}

function hexEscape(kind: string, code: number, digits: number): string {
  return `\\${kind}${code.toString(16).padStart(digits, '0')}`;
}

const ESCAPES = new Map([
  [7, '\\a'],
  [8, '\\b'],
  [9, '\\t'],
  [10, '\\n'],
  [11, '\\v'],
  [12, '\\f'],
  [13, '\\r'],
]);

export function publishViolation(subject: Uint8Array): string {
  return `Permissions Violation for Publish to ${quoteGo(subject)}`;
}

export function replyViolation(reply: Uint8Array): string {
  return `Permissions Violation for Publish with Reply of ${quoteGo(reply)}`;
}

export function subscriptionViolation(filter: Uint8Array, queue: Uint8Array | null): string {
  const using = queue === null ? '' : ` using queue ${quoteGo(queue)}`;
  return `Permissions Violation for Subscription to ${quoteGo(filter)}${using}`;
}

export function tooManyTokensViolation(filter: Uint8Array): string {
  return `Permissions Violation for Subscription to ${quoteGo(filter)}, too many tokens`;
}
