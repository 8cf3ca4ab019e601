import { hashOf } from './hash';
import { Buffer } from './memory';
import { sameBytes } from './text';

const NONE: i32 = -1;
/** Slots that are made together: none of them is ever moved. */
const CHUNK_BITS: i32 = 6;
const CHUNK_MASK: i32 = (1 << CHUNK_BITS) - 1;
/** Of the 3,000,000 units that there are for a state. */
const TAKE_ON_FUEL_MAX: u32 = 2_700_000;
/** At most so many keys in one table. */
export const KEYS_MAX: i32 = 65_536;

/** One key; its value lies behind. Others are named by their numbers. */
@unmanaged
class Slot {
  number: i32;
  hash: u32;
  /** The next key with the same head, or the next free slot. */
  chain: i32;
  older: i32;
  newer: i32;
  /** The key's address: behind this head, or, of a long one, on the heap. */
  key: usize;
  keyBytes: u32;
  /** Bytes on the heap. */
  keyRoom: u32;
}

/** Keys up to here are part of the slot: a heap block for each would cost more. */
const INNER_BYTES: usize = 48;
const HEAD_BYTES: usize = offsetof<Slot>() + INNER_BYTES;

/** At most so much, as measured: a long key needs a block of the heap. */
// @ts-ignore: decorator
@inline
function fuelToTakeOn(keyBytes: u32): u32 {
  return 650 + keyBytes * 6 + (keyBytes > <u32>INNER_BYTES ? 900 : 0);
}

/**
 * What a plugin remembers by key, with a place for so many keys as it is told, and no more: when a further one comes, the one that was not taken for the
 * longest time gives way. A value is `valueBytes` bytes at an address that holds until the key is gone; a new one is zeros.
 */
@unmanaged
export class Keys {
  /** Keys that there are. */
  count: i32 = 0;
  /** Whether the last `take` made its value. */
  isNew: bool = false;
  private readonly slotBytes: usize;
  /** Addresses of the chunks. */
  private readonly chunks: usize;
  private used: i32 = 0;
  private free: i32 = NONE;
  private oldestSlot: i32 = NONE;
  private newestSlot: i32 = NONE;
  private readonly heads: usize;
  private readonly mask: u32;

  constructor(
    /** A multiple of 8. */
    readonly valueBytes: usize,
    readonly max: i32,
  ) {
    this.slotBytes = (HEAD_BYTES + valueBytes + 7) & ~7;
    const heads: u32 = 1 << (32 - clz<i32>(max - 1 | 15));
    this.mask = heads - 1;
    this.heads = heap.alloc(<usize>heads << 2);
    memory.fill(this.heads, 0xff, <usize>heads << 2);
    this.chunks = heap.alloc(((<usize>max >> CHUNK_BITS) + 1) * sizeof<usize>());
  }

  get isFull(): bool {
    return this.count == this.max;
  }

  /** The address of a key's value, or 0. May read 15 bytes behind the key. */
  find(start: usize, bytes: usize): usize {
    const number = this.numberOf(start, bytes, hashOf(start, bytes));
    return number == NONE ? 0 : this.valueOf(number);
  }

  /** The same, made if it is not there; the key is now the one that was taken last. */
  take(start: usize, bytes: usize): usize {
    const hash = hashOf(start, bytes);
    let number = this.numberOf(start, bytes, hash);
    this.isNew = number == NONE;
    if (number == this.newestSlot && !this.isNew) return this.valueOf(number);
    if (this.isNew) number = this.make(start, bytes, hash);
    else this.unlink(number);
    this.linkNewest(number);
    return this.valueOf(number);
  }

  /** The value of the key that was not taken for the longest time; 0 when there is none. */
  get oldest(): usize {
    return this.oldestSlot == NONE ? 0 : this.valueOf(this.oldestSlot);
  }

  /** The value of the key that was taken after this one's; 0 when there is none. */
  newer(value: usize): usize {
    const number = changetype<Slot>(value - HEAD_BYTES).newer;
    return number == NONE ? 0 : this.valueOf(number);
  }

  keyStart(value: usize): usize {
    return changetype<Slot>(value - HEAD_BYTES).key;
  }

  keyBytes(value: usize): usize {
    return changetype<Slot>(value - HEAD_BYTES).keyBytes;
  }

  remove(value: usize): void {
    const number = changetype<Slot>(value - HEAD_BYTES).number;
    this.unlink(number);
    this.unchain(number);
    this.slot(number).chain = this.free;
    this.free = number;
    this.count--;
  }

  /** Appends all keys with their values; of more than `bytesMax` bytes hold, or than can be taken on with the fuel for that, those that were taken last. */
  saveTo(buffer: Buffer, bytesMax: usize): void {
    let first = NONE;
    let bytes: usize = 4;
    let fuel: u32 = 0;
    for (let number = this.newestSlot; number != NONE; ) {
      const slot = this.slot(number);
      const more = 4 + <usize>slot.keyBytes + this.valueBytes;
      fuel += fuelToTakeOn(slot.keyBytes);
      if (bytes + more > bytesMax || fuel > TAKE_ON_FUEL_MAX) break;
      bytes += more;
      first = number;
      number = slot.older;
    }
    let at = buffer.room(bytes);
    buffer.length += bytes;
    store<u32>(at, <u32>this.valueBytes);
    at += 4;
    for (let number = first; number != NONE; ) {
      const slot = this.slot(number);
      store<u32>(at, slot.keyBytes);
      memory.copy(at + 4, slot.key, slot.keyBytes);
      at += 4 + <usize>slot.keyBytes;
      memory.copy(at, changetype<usize>(slot) + HEAD_BYTES, this.valueBytes);
      at += this.valueBytes;
      number = slot.newer;
    }
  }

  /** Takes on what `saveTo` wrote. False when it is something else. */
  restoreFrom(start: usize, bytes: usize): bool {
    const end = start + bytes;
    if (bytes < 4 || load<u32>(start) != <u32>this.valueBytes) return false;
    for (let at = start + 4; at < end; ) {
      if (end - at < 4) return false;
      const key = <usize>load<u32>(at);
      at += 4;
      if (<u64>key + this.valueBytes > <u64>(end - at)) return false;
      // No key was saved twice.
      const number = this.make(at, key, hashOf(at, key));
      this.linkNewest(number);
      memory.copy(this.valueOf(number), at + key, this.valueBytes);
      at += key + this.valueBytes;
    }
    return true;
  }

  // @ts-ignore: decorator
  @inline
  private slot(number: i32): Slot {
    return changetype<Slot>(this.valueOf(number) - HEAD_BYTES);
  }

  // @ts-ignore: decorator
  @inline
  private valueOf(number: i32): usize {
    const chunk = load<usize>(this.chunks + (<usize>number >> CHUNK_BITS) * sizeof<usize>());
    return chunk + <usize>(number & CHUNK_MASK) * this.slotBytes + HEAD_BYTES;
  }

  // @ts-ignore: decorator
  @inline
  private headOf(hash: u32): usize {
    return this.heads + (<usize>(hash & this.mask) << 2);
  }

  private numberOf(start: usize, bytes: usize, hash: u32): i32 {
    let number = load<i32>(this.headOf(hash));
    while (number != NONE) {
      const slot = this.slot(number);
      if (slot.hash == hash && slot.keyBytes == <u32>bytes && sameBytes(slot.key, start, bytes)) break;
      number = slot.chain;
    }
    return number;
  }

  /** A slot for a key that there is not, with zeros for its value; in no order yet. */
  private make(start: usize, bytes: usize, hash: u32): i32 {
    if (this.isFull) this.remove(this.oldest);
    let number = this.free;
    if (number != NONE) this.free = this.slot(number).chain;
    else {
      number = this.used++;
      if ((number & CHUNK_MASK) == 0) {
        const chunk = heap.alloc(this.slotBytes << CHUNK_BITS);
        store<usize>(this.chunks + (<usize>number >> CHUNK_BITS) * sizeof<usize>(), chunk);
      }
      const slot = this.slot(number);
      slot.number = number;
      slot.keyRoom = 0;
    }
    const slot = this.slot(number);
    if (bytes > INNER_BYTES) this.makeRoom(slot, bytes);
    else if (slot.keyRoom == 0) slot.key = changetype<usize>(slot) + offsetof<Slot>();
    memory.copy(slot.key, start, bytes);
    slot.keyBytes = <u32>bytes;
    slot.hash = hash;
    slot.chain = load<i32>(this.headOf(hash));
    store<i32>(this.headOf(hash), number);
    memory.fill(this.valueOf(number), 0, this.valueBytes);
    this.count++;
    return number;
  }

  /** Sixteen bytes are compared at once. */
  private makeRoom(slot: Slot, bytes: usize): void {
    if (bytes <= slot.keyRoom) return;
    if (slot.keyRoom > 0) heap.free(slot.key);
    const room = (bytes + 15) & ~15;
    slot.key = heap.alloc(room);
    slot.keyRoom = <u32>room;
  }

  private linkNewest(number: i32): void {
    const slot = this.slot(number);
    slot.older = this.newestSlot;
    slot.newer = NONE;
    if (this.newestSlot == NONE) this.oldestSlot = number;
    else this.slot(this.newestSlot).newer = number;
    this.newestSlot = number;
  }

  private unlink(number: i32): void {
    const slot = this.slot(number);
    if (slot.older == NONE) this.oldestSlot = slot.newer;
    else this.slot(slot.older).newer = slot.newer;
    if (slot.newer == NONE) this.newestSlot = slot.older;
    else this.slot(slot.newer).older = slot.older;
  }

  private unchain(number: i32): void {
    const slot = this.slot(number);
    const head = this.headOf(slot.hash);
    let before = load<i32>(head);
    if (before == number) {
      store<i32>(head, slot.chain);
      return;
    }
    while (this.slot(before).chain != number) before = this.slot(before).chain;
    this.slot(before).chain = slot.chain;
  }
}
