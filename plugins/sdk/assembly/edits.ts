// Several changes of a text at once, noted in the order of the text: one new text is made out of the old, which is then scanned once.
import { commit, currentBytes, currentStart, draft } from './document';
import { Buffer } from './memory';

/** Triples: where the old text ends, where it goes on, and where among NEW the end of what comes between them lies. */
const EDITS: Buffer = new Buffer();
const NEW: Buffer = new Buffer();
const EDIT_BYTES: usize = sizeof<usize>() * 3;

export function beginEdits(): void {
  EDITS.length = 0;
  NEW.length = 0;
}

/** Where the text of the next edit is appended to. */
// @ts-ignore: decorator
@inline
export function newText(): Buffer {
  return NEW;
}

/** Notes that `[from, to)` becomes what was appended to `newText()` since the last edit. */
export function noteEdit(from: usize, to: usize): void {
  const at = EDITS.room(EDIT_BYTES);
  store<usize>(at, from);
  store<usize>(at, to, sizeof<usize>());
  store<usize>(at, NEW.length, sizeof<usize>() * 2);
  EDITS.length += EDIT_BYTES;
}

/** Carries them out. False when there are none. */
export function applyEdits(): bool {
  if (EDITS.length == 0) return false;
  const end = currentStart() + currentBytes();
  let at = currentStart();
  let newAt: usize = 0;
  const buffer = draft();
  buffer.room(currentBytes() + NEW.length);
  for (let edit = EDITS.start; edit < EDITS.start + EDITS.length; edit += EDIT_BYTES) {
    buffer.append(at, load<usize>(edit) - at);
    const newEnd = load<usize>(edit, sizeof<usize>() * 2);
    buffer.append(NEW.start + newAt, newEnd - newAt);
    newAt = newEnd;
    at = load<usize>(edit, sizeof<usize>());
  }
  buffer.append(at, end - at);
  commit(buffer);
  return true;
}
