import { utf8 } from '../base/bytes.js';
import { ErrorText } from '../wire/nats/errors.js';
import { Violation } from '../wire/nats/operations.js';
import { ClosedReason } from './closed-reason.js';

/** What a client is told about a violation of the protocol, and why its connection then ends. */
export const VIOLATIONS: Record<Violation, [string, ClosedReason]> = {
  [Violation.protocol]: [ErrorText.unknownOperation, ClosedReason.protocolViolation],
  [Violation.payload]: [ErrorText.maximumPayload, ClosedReason.maximumPayload],
  [Violation.controlLine]: [ErrorText.maximumControlLine, ClosedReason.maximumControlLine],
  [Violation.headers]: [ErrorText.headersNotSupported, ClosedReason.messageHeaderViolation],
  [Violation.authorization]: [ErrorText.authorizationViolation, ClosedReason.authenticationViolation],
};

const RESERVED_REPLIES = ['_R_.', '$JS.ACK.', '_GR_.'].map(utf8);

/** Reply subjects that only servers may use. */
export function isReservedReply(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start];
  if (first !== 0x5f && first !== 0x24) return false;
  return RESERVED_REPLIES.some(
    (prefix) => end - start >= prefix.length && prefix.every((byte, i) => bytes[start + i] === byte),
  );
}
