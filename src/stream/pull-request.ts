import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { flag, object, readJson, ShapeMistake, text, whole } from './shape.js';

const requestShape = object('PullRequest', {
  expires: whole,
  batch: whole,
  max_bytes: whole,
  no_wait: flag,
  idle_heartbeat: whole,
  group: text,
  min_pending: whole,
  min_ack_pending: whole,
  id: text,
  priority: whole,
});

/** A client waits for messages. */
export interface PullRequest {
  /** Whom to answer. */
  readonly address: Message;
  readonly reply: Uint8Array;
  /** Messages still to come. */
  remaining: number;
  /** Bytes that may still come; 0 is no limit. */
  bytesRemaining: number;
  readonly bytesLimited: boolean;
  delivered: number;
  readonly noWait: boolean;
  /** When it ends, by the clock; Infinity is never. */
  readonly expiresMs: number;
  readonly heartbeatMs: number;
  nextHeartbeatMs: number;
  /** Whether it is of the form that can name a group. */
  readonly formal: boolean;
  readonly group: string;
  readonly minPending: number;
  readonly minAckPending: number;
  /** Shown by the client, or given to it with its first message. */
  pinId: string;
  readonly priority: number;
  /** How long it asked to wait, in ns; 0 is not at all, less is over already. */
  readonly expiresNs: number;
}

/** Reads a request: nothing (one message), a number, or JSON. Answers a text when it is wrong. */
export function readPullRequest(payload: string, reply: Uint8Array, nowMs: number): PullRequest | string {
  const said = payload.trim();
  let fields: ReturnType<typeof requestShape> = {};
  if (said.startsWith('{')) {
    try {
      fields = readJson(said, requestShape, false);
    } catch (error) {
      if (error instanceof ShapeMistake) return error.message;
      throw error;
    }
  } else if (/^[+-]?\d+$/.test(said)) fields = { batch: Number(said) };
  const { expires = 0, batch = 0, max_bytes = 0, idle_heartbeat = 0, group = '' } = fields;
  if (idle_heartbeat > 0 && idle_heartbeat * 2 > expires) return 'heartbeat value too large';
  return {
    address: composeMessage({ subject: reply, reply: null, headers: null, payload: NO_BYTES }),
    reply,
    remaining: Math.max(1, batch),
    bytesRemaining: Math.max(0, max_bytes),
    bytesLimited: max_bytes > 0,
    delivered: 0,
    noWait: fields.no_wait ?? false,
    // Clients wait as long by clocks of their own, which count less than whole milliseconds.
    expiresMs: expires > 0 ? nowMs + expires / 1e6 + 1 : Number.POSITIVE_INFINITY,
    heartbeatMs: Math.max(0, idle_heartbeat) / 1e6,
    nextHeartbeatMs: idle_heartbeat > 0 ? nowMs + idle_heartbeat / 1e6 : Number.POSITIVE_INFINITY,
    formal: said.startsWith('{'),
    group,
    minPending: fields.min_pending ?? 0,
    minAckPending: fields.min_ack_pending ?? 0,
    pinId: fields.id ?? '',
    priority: fields.priority ?? 0,
    expiresNs: expires,
  };
}
