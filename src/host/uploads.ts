import { createHash, randomUUID } from 'node:crypto';
import type { Clock, Timer } from '../base/clock.js';
import { Failure } from '../base/failure.js';
import { checkName } from './names.js';

/** The largest module there may be is smaller; this bounds what an upload may hold in memory. */
const BYTES_MAX = 16 * 1024 * 1024;
const UPLOADS_MAX = 8;
/** An upload that nobody goes on with is forgotten. */
const IDLE_MS = 60_000;
const SHA256 = /^[0-9a-f]{64}$/;

interface Upload {
  readonly plugin: string;
  readonly sha256: string;
  readonly bytes: Uint8Array;
  received: number;
  timer: Timer;
}

/** Modules that come in pieces because they are larger than a message may be. */
export class Uploads {
  private readonly clock: Clock;
  private readonly uploads = new Map<string, Upload>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Begins an upload of so many bytes with this digest; answers its id. */
  begin(plugin: string, bytes: number, sha256: string): string {
    checkName('plugin', plugin);
    const refuse = (text: string) => new Failure('request-invalid', `cannot upload ${JSON.stringify(plugin)}: ${text}`);
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > BYTES_MAX) {
      throw refuse(`"bytes" is ${JSON.stringify(bytes)}; expected a whole number from 1 to ${BYTES_MAX}`);
    }
    if (!SHA256.test(sha256)) throw refuse(`"sha256" is ${JSON.stringify(sha256)}; expected 64 hexadecimal digits`);
    if (this.uploads.size >= UPLOADS_MAX) {
      throw new Failure(
        'uploads-full',
        `${UPLOADS_MAX} uploads are under way, the most allowed; try again in a minute`,
      );
    }
    const id = randomUUID().replaceAll('-', '');
    this.uploads.set(id, { plugin, sha256, bytes: new Uint8Array(bytes), received: 0, timer: this.limit(id) });
    return id;
  }

  /** Takes the piece that begins at `offset`; one that is sent again is taken again. Answers how many bytes are there. */
  add(id: string, offset: number, piece: Uint8Array): number {
    const upload = this.find(id);
    const refuse = (text: string) => new Failure('upload-piece', `upload ${JSON.stringify(id)}: ${text}`);
    if (!Number.isInteger(offset) || offset < 0 || offset > upload.received) {
      throw refuse(`the piece begins at ${offset}; expected ${upload.received}, the bytes that are there`);
    }
    if (offset + piece.length > upload.bytes.length) {
      throw refuse(`the piece ends at ${offset + piece.length}, behind the ${upload.bytes.length} bytes announced`);
    }
    upload.bytes.set(piece, offset);
    upload.received = Math.max(upload.received, offset + piece.length);
    upload.timer.cancel();
    upload.timer = this.limit(id);
    return upload.received;
  }

  /** Ends an upload and answers what came, when it is whole and what was announced. */
  finish(id: string): { plugin: string; wasm: Uint8Array } {
    const { plugin, sha256, bytes, received } = this.find(id);
    if (received < bytes.length) {
      throw new Failure('upload-piece', `upload ${JSON.stringify(id)} has ${received} of ${bytes.length} bytes`);
    }
    this.abort(id);
    const found = createHash('sha256').update(bytes).digest('hex');
    if (found === sha256) return { plugin, wasm: bytes };
    const text = `upload ${JSON.stringify(id)} was announced with the digest ${sha256}, the ${received} bytes received have ${found}`;
    throw new Failure('digest-mismatch', text);
  }

  abort(id: string): void {
    this.find(id).timer.cancel();
    this.uploads.delete(id);
  }

  close(): void {
    for (const id of [...this.uploads.keys()]) this.abort(id);
  }

  private find(id: string): Upload {
    const found = this.uploads.get(id);
    if (found !== undefined) return found;
    throw new Failure(
      'upload-not-found',
      `there is no upload ${JSON.stringify(id)}; it ended, or nobody went on with it for a minute`,
    );
  }

  private limit(id: string): Timer {
    return this.clock.after(IDLE_MS, () => void this.uploads.delete(id));
  }
}
