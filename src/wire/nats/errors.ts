/** The texts of `-ERR`, letter for letter as nats-server sends them: clients compare them. */
export const ErrorText = {
  unknownOperation: 'Unknown Protocol Operation',
  authorizationViolation: 'Authorization Violation',
  authenticationTimeout: 'Authentication Timeout',
  authenticationExpired: 'User Authentication Expired',
  maximumConnections: 'maximum connections exceeded',
  maximumPayload: 'Maximum Payload Violation',
  maximumSubscriptions: 'maximum subscriptions exceeded',
  staleConnection: 'Stale Connection',
  tlsRequired: 'Secure Connection - TLS Required',
  invalidClientProtocol: 'invalid client protocol',
  noRespondersNeedsHeaders: 'no responders requires headers support',
  invalidPublishSubject: 'Invalid Publish Subject',
  invalidSubject: 'Invalid Subject',
  maximumControlLine: 'maximum control line exceeded',
} as const;

/** Text as Go's `%q` prints it: double quotes, with escapes. */
export function quoteGo(text: string): string {
  let quoted = '"';
  for (const letter of text) {
    const code = letter.codePointAt(0)!;
    if (letter === '"' || letter === '\\') quoted += '\\' + letter;
    else if (ESCAPES.has(code)) quoted += ESCAPES.get(code);
    else if (code < 0x20 || code === 0x7f) quoted += '\\x' + code.toString(16).padStart(2, '0');
    else quoted += letter;
  }
  return quoted + '"';
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

export function publishViolation(subject: string): string {
  return `Permissions Violation for Publish to ${quoteGo(subject)}`;
}

export function replyViolation(reply: string): string {
  return `Permissions Violation for Publish with Reply of ${quoteGo(reply)}`;
}

export function subscriptionViolation(subject: string, queue: string | null): string {
  const using = queue === null ? '' : ` using queue ${quoteGo(queue)}`;
  return `Permissions Violation for Subscription to ${quoteGo(subject)}${using}`;
}

export function tooManyTokensViolation(subject: string): string {
  return `Permissions Violation for Subscription to ${quoteGo(subject)}, too many tokens`;
}
