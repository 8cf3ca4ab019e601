import { Failure } from '../base/failure.js';

/** Reads the numbers of a WebAssembly binary; never past its end. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    if (this.at >= this.end) throw malformed(`ends at byte ${this.at} in the middle of something`);
    return this.bytes[this.at++];
  }

  /** An unsigned LEB128 of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      if (shift === 28 && byte > 0x0f) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed(`has a number longer than 32 bits before byte ${this.at}`);
  }

  /** Skips a LEB128 of at most `bytesMax` bytes. */
  skipLeb(bytesMax: number): void {
    for (let i = 0; i < bytesMax; i++) if (this.byte() < 0x80) return;
    throw malformed(`has an overlong number before byte ${this.at}`);
  }

  skip(count: number): void {
    if (count > this.end - this.at)
      throw malformed(`promises ${count} bytes at ${this.at} and has ${this.end - this.at}`);
    this.at += count;
  }

  name(): string {
    const length = this.u32();
    const start = this.at;
    this.skip(length);
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, length).toString('utf8');
  }

  /** A reader of the next `count` bytes, which this one skips. */
  part(count: number): ByteReader {
    const start = this.at;
    this.skip(count);
    return new ByteReader(this.bytes, start, this.at);
  }
}

export function malformed(what: string): Failure {
  return new Failure('module-malformed', `the module is malformed: it ${what}`);
}
