import { hashOf } from './hash';
import { Buffer, copyBytes } from './memory';
import { sameBytes } from './text';

const NONE: i32 = -1;
const SLOTS_FIRST: i32 = 16;
/** At most so many keys in one table. */
export const KEYS_MAX: i32 = 65_536;

/** One key; its value lies behind. Others are named by their numbers: slots move when there are more of them. */
@unmanaged
class Slot {
  hash: u32;
  /** The next key with the same head, or the next free slot. */
  chain: i32;
  older: i32;
  newer: i32;
  key: usize;
  keyBytes: u32;
  keyRoom: u32;
}

const HEAD_BYTES: usize = offsetof<Slot>();

/**
 * What a plugin remembers by key, with a place for so many keys as it is told, and no more: when a further one comes, the one that was not taken for the
 * longest time gives way. A value is `valueBytes` bytes at an address that holds until the next `take`, `remove` or `restoreFrom`; a new one is zeros.
 */
@unmanaged
export class Keys {
  /** Keys that there are. */
  count: i32 = 0;
  /** Whether the last `take` made its value. */
  isNew: bool = false;
  private readonly slotBytes: usize;
  private slots: usize = 0;
  private room: i32 = 0;
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
    const number = <i32>((value - HEAD_BYTES - this.slots) / this.slotBytes);
    this.unlink(number);
    this.unchain(number);
    this.slot(number).chain = this.free;
    this.free = number;
    this.count--;
  }

  /** Appends all keys with their values; when `bytesMax` bytes do not hold them, those that were taken last. */
  saveTo(buffer: Buffer, bytesMax: usize): void {
    const start = buffer.length;
    store<u32>(buffer.room(4), <u32>this.valueBytes);
    buffer.length += 4;
    let first = NONE;
    let bytes: usize = 4;
    for (let number = this.newestSlot; number != NONE; number = this.slot(number).older) {
      bytes += this.savedBytes(number);
      if (bytes > bytesMax) break;
      first = number;
    }
    for (let number = first; number != NONE; number = this.slot(number).newer) {
      const slot = this.slot(number);
      store<u32>(buffer.room(4), slot.keyBytes);
      buffer.length += 4;
      buffer.append(slot.key, slot.keyBytes);
      buffer.append(this.valueOf(number), this.valueBytes);
    }
    assert(buffer.length - start <= max(bytesMax, 4));
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
      copyBytes(this.take(at, key), at + key, this.valueBytes);
      at += key + this.valueBytes;
    }
    return true;
  }

  private savedBytes(number: i32): usize {
    return 4 + <usize>this.slot(number).keyBytes + this.valueBytes;
  }

  // @ts-ignore: decorator
  @inline
  private slot(number: i32): Slot {
    return changetype<Slot>(this.slots + <usize>number * this.slotBytes);
  }

  // @ts-ignore: decorator
  @inline
  private valueOf(number: i32): usize {
    return this.slots + <usize>number * this.slotBytes + HEAD_BYTES;
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
      if (number == this.room) this.enlarge();
      this.slot(number).keyRoom = 0;
    }
    const slot = this.slot(number);
    if (bytes > slot.keyRoom) {
      if (slot.keyRoom > 0) heap.free(slot.key);
      // Sixteen bytes are compared at once.
      const room = (bytes + 31) & ~15;
      slot.key = heap.alloc(room + 16);
      slot.keyRoom = <u32>room;
    }
    memory.copy(slot.key, start, bytes);
    slot.keyBytes = <u32>bytes;
    slot.hash = hash;
    slot.chain = load<i32>(this.headOf(hash));
    store<i32>(this.headOf(hash), number);
    memory.fill(this.valueOf(number), 0, this.valueBytes);
    this.count++;
    return number;
  }

  private enlarge(): void {
    this.room = this.room == 0 ? min(SLOTS_FIRST, this.max) : min(this.room * 2, this.max);
    const bytes = <usize>this.room * this.slotBytes + 16;
    this.slots = this.slots == 0 ? heap.alloc(bytes) : heap.realloc(this.slots, bytes);
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
