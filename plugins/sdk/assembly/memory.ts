// Inbox, outbox and control block: the memory that guest and host share (docs/plugin-abi.md).
//
//   page 0            behind the heap's first page
//   static data, heap │ inbox … PADDING │ outbox … PADDING │ heap, as it grows …

/** Bytes behind an inbox or a buffer that may be read and written: up to 32 are looked at at once, and zeros end a text. */
export const PADDING: usize = 48;

/** The eight words of the control block. */
export const CONTROL: usize = memory.data(32, 4);

/** The pages of inbox and outbox. */
let regionStart: usize = 0;
let regionBytes: usize = 0;

/** `weir_open`: the address of the control block, or 0 when there is no room. */
export function openFrame(inboxBytes: u32, outboxBytes: u32): usize {
  const inbox = (<u64>inboxBytes + PADDING + 15) & ~15;
  // What comes out of a message that fills the inbox may be larger than what went in.
  const outbox = (<u64>max<u32>(outboxBytes, inboxBytes) + inboxBytes + 15) & ~15;
  if (!reserve(inbox + outbox + PADDING)) return 0;
  store<u32>(CONTROL, <u32>regionStart, 0);
  store<u32>(CONTROL, inboxBytes, 4);
  store<u32>(CONTROL, <u32>(regionStart + <usize>inbox), 8);
  store<u32>(CONTROL, <u32>outbox, 12);
  return CONTROL;
}

/** Where the host puts messages and the configuration. */
// @ts-ignore: decorator
@inline
export function inboxStart(): usize {
  return load<u32>(CONTROL, 0);
}

/**
 * Takes pages of its own instead of a block of the heap: the heap traps when there is no room, and here the host wants to be told. The heap
 * must have been set up before: at its first use it takes all pages that there are.
 */
function reserve(bytes: u64): bool {
  if (bytes <= <u64>regionBytes) return true;
  if (bytes > 0x7fff_ffff) return false;
  heap.free(heap.alloc(16));
  const end = <usize>memory.size() << 16;
  const inPlace = regionBytes > 0 && regionStart + regionBytes == end;
  // Pages that are left behind are lost; doubling bounds them by what is used.
  const wanted: usize = inPlace ? <usize>bytes - regionBytes : max<usize>(<usize>bytes, regionBytes * 2);
  const pages = (wanted + 0xffff) >>> 16;
  if (memory.grow(<i32>pages) < 0) return false;
  if (!inPlace) {
    regionStart = end;
    regionBytes = 0;
  }
  regionBytes += pages << 16;
  return true;
}

/** From so many bytes on, the call that the engine's own copy costs is worth it. */
const ENGINE_COPIES_FROM: usize = 256;

/** Copies bytes that do not overlap. May read and write PADDING bytes behind either end. */
export function copyBytes(to: usize, from: usize, bytes: usize): void {
  if (bytes >= ENGINE_COPIES_FROM) {
    memory.copy(to, from, bytes);
    return;
  }
  const end = from + bytes;
  for (; from < end; from += 32) {
    const second = v128.load(from, 16);
    v128.store(to, v128.load(from));
    v128.store(to, second, 16);
    to += 32;
  }
}

/** A block of bytes that is kept and grows: for texts that are put together. Its capacity leaves room for the padding. */
@unmanaged
export class Buffer {
  start: usize = 0;
  capacity: usize = 0;
  length: usize = 0;

  /** Makes room for `bytes` more behind what is there, and answers their address. */
  room(bytes: usize): usize {
    const needed = this.length + bytes;
    if (needed > this.capacity) this.enlarge(needed);
    return this.start + this.length;
  }

  append(from: usize, bytes: usize): void {
    copyBytes(this.room(bytes), from, bytes);
    this.length += bytes;
  }

  /** Appends the UTF-8 of a text. */
  appendText(text: string): void {
    const to = this.room(<usize>text.length * 3);
    this.length += String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, to);
  }

  // @ts-ignore: decorator
  @inline
  appendByte(byte: u32): void {
    store<u8>(this.room(1), byte);
    this.length++;
  }

  private enlarge(needed: usize): void {
    const capacity = max<usize>(max<usize>(needed, this.capacity * 2), 240);
    this.start = this.start == 0 ? heap.alloc(capacity + PADDING) : heap.realloc(this.start, capacity + PADDING);
    this.capacity = capacity;
  }
}
