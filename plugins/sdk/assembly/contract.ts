// The contract's side of the SDK: used by entry.ts alone.
import { setText } from './document';
import { Json } from './json';
import { inboxStart } from './memory';
import { json, Message, message } from './message';
import { wasFull } from './outbox';
import { endInit, fail, TOO_MUCH, Verdict } from './plugin';

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
  if (verdict == Verdict.Replace) return endReplace();
  return wasFull() ? fail(TOO_MUCH) : verdict;
}

function endReplace(): i32 {
  const mistake = message.writeChanges();
  if (mistake !== null) return fail(`the plugin writes ${mistake}`);
  return wasFull() ? fail(TOO_MUCH) : Verdict.Replace;
}
