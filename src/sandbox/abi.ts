/** The guest contract, version 1, as numbers. The contract itself is `docs/plugin-abi.md`. */
export const ABI_VERSION = 1;

/** What a plugin decides about a message. Negative values are guest errors. */
export const Verdict = { pass: 0, drop: 1, replace: 2, reject: 3 } as const;

/** Words of the control block, as indexes into an Int32Array that starts at its address. */
export const ControlWord = {
  inbox: 0,
  inboxCapacity: 1,
  outbox: 2,
  outboxCapacity: 3,
  outboxLength: 4,
  code: 5,
  /** Written behind the guest's back when it has answered, and taken away by the host before it is called again. */
  fuelLeft: 6,
} as const;

/** Bytes of the control block: eight words. */
export const CONTROL_BYTES = 32;

/** Kinds of outbox records. */
export const RecordKind = {
  subject: 1,
  headers: 2,
  payload: 3,
  emit: 4,
  log: 5,
  metric: 6,
  error: 7,
  reply: 8,
  state: 9,
} as const;

/** The length that `weir_table` is told of the value of an entry that is not there any more. */
export const ENTRY_REMOVED = -1;

/** Bytes of a record's head: kind and length. */
export const RECORD_HEAD_BYTES = 8;
