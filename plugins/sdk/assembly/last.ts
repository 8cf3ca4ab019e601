// Which members of an object JSON.parse sees: of those with the same key, the last.
import { hashOf } from './hash';
import { Buffer } from './memory';
import { hasKey } from './path';
import { ENTRY_BYTES, Entry, KEY_ESCAPED, LAST } from './tape';
import { plainStart, unescape } from './text';

/** The members found so far by the hash of their key, as entries; 0 is a free slot. A power of two of them, at most half in use. */
const SLOTS: Buffer = new Buffer();
/** A key without its escapes. */
const KEY: Buffer = new Buffer();
const SLOT_BYTES: usize = sizeof<usize>();

/** Marks with LAST those members of an object that count. One look at each: objects may be large. */
export function markLast(object: usize): void {
  const end = changetype<Entry>(object).next;
  const mask = clearSlots(object, end);
  for (let at = object + ENTRY_BYTES; at != end; at = changetype<Entry>(at).next) {
    const member = changetype<Entry>(at);
    let start = member.keyStart;
    let bytes = member.keyEnd - start;
    if ((member.info & KEY_ESCAPED) != 0) {
      bytes = unescape(start, member.keyEnd);
      KEY.length = 0;
      KEY.append(plainStart(), bytes);
      start = KEY.start;
    }
    const slot = slotOf(start, bytes, mask);
    const before = load<usize>(slot);
    if (before != 0) changetype<Entry>(before).info &= ~LAST;
    member.info |= LAST;
    store<usize>(slot, at);
  }
}

/** Makes room for the members, and answers what a slot's number is masked with. */
function clearSlots(object: usize, end: usize): u32 {
  let members: u32 = 1;
  for (let at = object + ENTRY_BYTES; at != end; at = changetype<Entry>(at).next) members++;
  const slots = <u32>1 << (33 - clz(members));
  SLOTS.length = 0;
  memory.fill(SLOTS.room(slots * SLOT_BYTES), 0, slots * SLOT_BYTES);
  return slots - 1;
}

/** The slot that holds the member with this key, or the free one for it. */
function slotOf(start: usize, bytes: usize, mask: u32): usize {
  let number = hashOf(start, bytes) & mask;
  while (true) {
    const slot = SLOTS.start + number * SLOT_BYTES;
    const member = load<usize>(slot);
    if (member == 0 || hasKey(member, start, bytes)) return slot;
    number = (number + 1) & mask;
  }
}
