import { Failure } from '../base/failure.js';
import { type Disk, type DiskFile, errorCode } from './disk.js';
import { FrameCodec } from './frame-codec.js';
import { CIPHER, encodeHeader, HEADER_BYTES, type SegmentHeader } from './segment-header.js';

/**
 * Zeros are written ahead of the records, as many as there are records, within these bounds. A sync of bytes that the file has already takes a third of the
 * time of one that makes it longer, and a tenth on a busy disk (bench/micro/storage.ts).
 */
const AHEAD_BYTES_MIN = 4 * 1024;
const AHEAD_BYTES_MAX = 1024 * 1024;
const ZEROS = new Uint8Array(AHEAD_BYTES_MAX);

/**
 * The file of a segment. Offsets that others use are those of the records laid end to end (`Segment.blockStarts`); where they lie in
 * the file is known here alone.
 *
 * ```text
 * plain    header | records …                         place = HEADER_BYTES + offset
 * framed   header | frame | frame | …                 frameStarts[i] (offset) is at framePlaces[i]
 * ```
 */
export class SegmentFile {
  path: string;
  readonly header: SegmentHeader;
  readonly file: DiskFile;
  /** Records up to here were given to the system; up to `durable` they are safe. */
  written = 0;
  durable = 0;
  /** Something in it could not be read: it is left as it is. */
  damaged = false;
  /** Closed segments are compressed once. */
  packed = false;
  readonly frameStarts: number[] = [];
  readonly framePlaces: number[] = [];
  /** The file's length up to `written`. */
  fileBytes = HEADER_BYTES;
  /** Its length with the zeros that were written ahead, or less. */
  private lengthAhead = 0;
  private readonly codec: FrameCodec | null;

  private constructor(path: string, header: SegmentHeader, file: DiskFile, codec: FrameCodec | null) {
    this.path = path;
    this.header = header;
    this.file = file;
    this.codec = codec;
  }

  /** Makes the file. Its header is durable before there are records: a file that is longer and has none is damaged. */
  static async create(disk: Disk, path: string, header: SegmentHeader, key: Uint8Array | null): Promise<SegmentFile> {
    const codec = codecFor(header, key);
    header.keyCheck = codec?.keyCheck ?? 0;
    const file = await disk.open(path, 'w+');
    try {
      await file.write([encodeHeader(header)], 0);
      await file.sync();
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
    return new SegmentFile(path, header, file, codec);
  }

  /** A file that is there. What it holds is for recovery to say. */
  static adopt(path: string, header: SegmentHeader, file: DiskFile, key: Uint8Array | null): SegmentFile {
    if (header.cipher !== CIPHER.NONE && key === null) {
      throw new Failure('STORE_KEY_MISSING', `cannot read "${path}": it is encrypted, and no key is configured`);
    }
    const codec = codecFor(header, key);
    if (codec !== null && codec.keyCheck !== header.keyCheck) {
      throw new Failure(
        'STORE_KEY_WRONG',
        `cannot read "${path}": it was encrypted with another key than the configured one`,
      );
    }
    return new SegmentFile(path, header, file, codec);
  }

  /** Writes records behind those written. Each piece lies within one block. `durably`: more will follow, and each time a sync. */
  async append(pieces: readonly Uint8Array[], durably = false): Promise<void> {
    // What was written before and is not durable yet needs a sync of its own.
    const atOnce = durably && this.durable === this.written;
    if (this.codec === null) {
      const end = pieces.reduce((sum, piece) => sum + piece.length, HEADER_BYTES + this.written);
      if (durably && end > this.lengthAhead) await this.lengthen(pieces, end, atOnce);
      else await this.write(pieces, HEADER_BYTES + this.written, atOnce);
      this.written = end - HEADER_BYTES;
      this.fileBytes = end;
      if (atOnce) this.durable = this.written;
      return;
    }
    const frames: Uint8Array[] = [];
    let place = this.fileBytes;
    for (const piece of pieces) {
      frames.push(this.codec.encode(piece, place));
      place += frames.at(-1)!.length;
    }
    await this.write(frames, this.fileBytes, atOnce);
    for (let i = 0; i < pieces.length; i++) this.noteFrame(pieces[i].length, frames[i].length);
    if (atOnce) this.durable = this.written;
  }

  private write(pieces: readonly Uint8Array[], offset: number, durably: boolean): Promise<void> {
    return durably ? this.file.writeDurably(pieces, offset) : this.file.write(pieces, offset);
  }

  /** Writes plain records, and zeros behind their `end`. */
  private async lengthen(pieces: readonly Uint8Array[], end: number, durably: boolean): Promise<void> {
    const zeros = ZEROS.subarray(0, Math.max(end, AHEAD_BYTES_MIN));
    try {
      await this.write([...pieces, zeros], HEADER_BYTES + this.written, durably);
      this.lengthAhead = end + zeros.length;
    } catch (thrown) {
      if (errorCode(thrown) !== 'ENOSPC') throw thrown;
      // The disk may have room for the records alone.
      await this.write(pieces, HEADER_BYTES + this.written, durably);
    }
  }

  /** Whether there are zeros behind the records. */
  get isAhead(): boolean {
    return this.lengthAhead > this.fileBytes;
  }

  /** Gives up what was written ahead: there will be no more records. Says whether there was something, so that it wants a sync. */
  async trim(): Promise<boolean> {
    const longer = this.isAhead;
    if (longer) await this.file.truncate(this.fileBytes);
    this.lengthAhead = 0;
    return longer;
  }

  /** Writes one block's records, compressed if that makes them smaller. */
  async appendPacked(records: Uint8Array): Promise<void> {
    const frame = await this.codec!.encodeSmall(records, () => this.fileBytes);
    await this.file.write([frame], this.fileBytes);
    this.noteFrame(records.length, frame.length);
  }

  /** A frame was written, or found, behind all others. */
  noteFrame(rawBytes: number, storedBytes: number): void {
    this.frameStarts.push(this.written);
    this.framePlaces.push(this.fileBytes);
    this.written += rawBytes;
    this.fileBytes += storedBytes;
  }

  /** What was written but is not durable is to be written again. */
  forgetUndurable(): void {
    while (this.frameStarts.length > 0 && this.frameStarts.at(-1)! >= this.durable) {
      this.frameStarts.pop();
      this.fileBytes = this.framePlaces.pop()!;
    }
    this.written = this.durable;
    if (this.codec === null) this.fileBytes = HEADER_BYTES + this.written;
  }

  /** Whether a frame begins at this offset. */
  startsFrame(offset: number): boolean {
    return this.frameStarts[this.frameIndex(offset)] === offset;
  }

  /** Forgets what is behind `offset`, which is at `place`. */
  cut(offset: number, place: number): void {
    while (this.frameStarts.length > 0 && this.frameStarts.at(-1)! >= offset) {
      this.frameStarts.pop();
      this.framePlaces.pop();
    }
    this.written = offset;
    this.fileBytes = place;
  }

  /** Reads the records of one block into `into`; fewer at the end of a file that was cut. */
  readBlock(start: number, end: number, into: (bytes: number) => Uint8Array): Uint8Array {
    const place = this.placeOf(start);
    const stored = new Uint8Array(this.codec === null ? 0 : this.placeOf(end) - place);
    if (this.codec === null) {
      const bytes = into(end - start);
      return bytes.subarray(0, this.file.readSync(bytes.subarray(0, end - start), place));
    }
    this.file.readSync(stored, place);
    return this.decodeFrames(stored, { start, end, place }, into);
  }

  /** The same on another thread. */
  async readBlockAsync(start: number, end: number, into: (bytes: number) => Uint8Array): Promise<Uint8Array> {
    const place = this.placeOf(start);
    if (this.codec === null) {
      const bytes = into(end - start);
      return bytes.subarray(0, await this.file.read(bytes.subarray(0, end - start), place));
    }
    const stored = new Uint8Array(this.placeOf(end) - place);
    await this.file.read(stored, place);
    return this.decodeFrames(stored, { start, end, place }, into);
  }

  /** The records of the frame at `place` of a file that was read whole; null when it is damaged. */
  decodeAt(bytes: Uint8Array, place: number): Uint8Array | null {
    return this.codec!.decode(bytes, place, place);
  }

  /** Where in the file a frame, or a record of a plain file, begins. */
  placeOf(offset: number): number {
    if (this.codec === null) return HEADER_BYTES + offset;
    if (offset >= this.written) return this.fileBytes;
    return this.framePlaces[this.frameIndex(offset)];
  }

  private frameIndex(offset: number): number {
    const { frameStarts } = this;
    let low = 0;
    let high = frameStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (frameStarts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private decodeFrames(
    stored: Uint8Array,
    range: { start: number; end: number; place: number },
    into: (bytes: number) => Uint8Array,
  ): Uint8Array {
    const bytes = into(range.end - range.start);
    for (let i = this.frameIndex(range.start); i < this.frameStarts.length && this.frameStarts[i] < range.end; i++) {
      const records = this.codec!.decode(stored, this.framePlaces[i] - range.place, this.framePlaces[i]);
      const start = this.frameStarts[i] - range.start;
      if (records !== null) bytes.set(records, start);
      // Zeros are no records.
      else bytes.fill(0, start, (this.frameStarts[i + 1] ?? this.written) - range.start);
    }
    return bytes.subarray(0, range.end - range.start);
  }
}

function codecFor(header: SegmentHeader, key: Uint8Array | null): FrameCodec | null {
  return header.framed ? new FrameCodec(header, key) : null;
}
