// The contract's side of the SDK: used by entry.ts alone.
import { setText } from './document';
import { endInit, Verdict } from './plugin';
import { inboxStart } from './memory';
import { json, Message, message } from './message';
import { Json } from './json';

export { openFrame } from './memory';

/** The configuration, as it lies in the inbox. */
export function beginInit(bytes: u32): Json {
  setText(inboxStart(), inboxStart() + bytes);
  return json;
}

export { endInit };

// @ts-ignore: decorator
@inline
export function current(): Message {
  return message;
}

/** The verdict as the host wants it; changes are written for `Replace`. */
// @ts-ignore: decorator
@inline
export function end(verdict: Verdict): i32 {
  if (verdict == Verdict.Replace) message.writeChanges();
  return verdict;
}
