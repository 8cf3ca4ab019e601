import { hasAnyPrefix, utf8 } from '../base/bytes.js';
import { ErrorText } from '../wire/nats/errors.js';
import { Violation } from '../wire/nats/operations.js';
import { ClosedReason } from './closed-reason.js';

/** What a client is told about a violation of the protocol (as nats-server: not always anything), and why its connection then ends. */
interface ViolationAnswer {
  said?: string;
  logged?: string;
  reason: ClosedReason;
}

export const VIOLATIONS: Record<Violation, ViolationAnswer> = {
  [Violation.protocol]: { said: ErrorText.unknownOperation, reason: ClosedReason.protocolViolation },
  [Violation.payload]: { said: ErrorText.maximumPayload, reason: ClosedReason.maximumPayload },
  [Violation.controlLine]: { said: ErrorText.maximumControlLine, reason: ClosedReason.maximumControlLine },
  [Violation.headers]: { logged: 'message headers not supported', reason: ClosedReason.protocolViolation },
  [Violation.authorization]: { said: ErrorText.authorizationViolation, reason: ClosedReason.authenticationViolation },
  [Violation.arguments]: { logged: 'wrong arguments of an operation', reason: ClosedReason.protocolViolation },
};

const RESERVED_REPLIES = ['_R_.', '$JS.ACK.', '_GR_.', '$GR.'].map(utf8);

/** Reply subjects that only servers may use. */
export function isReservedReply(bytes: Uint8Array, start: number, end: number): boolean {
  return hasAnyPrefix(bytes, start, end, RESERVED_REPLIES);
}
