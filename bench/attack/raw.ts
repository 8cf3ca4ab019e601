import { connect, type Socket } from 'node:net';

const DEADLINE_MS = 30_000;
/** What is kept of what a server says. */
const TEXT_CHARACTERS_MAX = 256 * 1024;
const PONG = 'PONG\r\n';

/** An attacker's connection: bytes out, however many; what comes back is looked at, and the last of it kept. */
export class Raw {
  readonly socket: Socket;
  /** What came, at most the last of it, as latin1. */
  text = '';
  receivedBytes = 0;
  ended = false;
  private changed: (() => void)[] = [];
  private pongs = 0;
  private pings = 0;
  /** The end of what came, where a PONG may have begun. */
  private rest = '';

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (chunk) => {
      this.receivedBytes += chunk.length;
      const text = this.rest + chunk.toString('latin1');
      this.pongs += text.split(PONG).length - 1;
      this.rest = text.endsWith(PONG) ? '' : text.slice(1 - PONG.length);
      this.text = (this.text + chunk.toString('latin1')).slice(-TEXT_CHARACTERS_MAX);
      this.wake();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.ended = true;
      this.wake();
    });
  }

  /** Text is sent as latin1. Resolves when the kernel took it, or the connection is gone. */
  send(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve();
      else this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => resolve());
    });
  }

  /** Sends the same again and again, as fast as the server reads. */
  async repeat(bytes: Uint8Array, times: number): Promise<void> {
    for (let i = 0; i < times && !this.socket.destroyed; i++) await this.send(bytes);
  }

  /** Waits for a text to come; also answers, false, when the connection ends without it. */
  saw(text: string, deadlineMs = DEADLINE_MS): Promise<boolean> {
    return this.until(() => this.text.includes(text), JSON.stringify(text), deadlineMs);
  }

  /** All that was sent was dealt with. */
  async flush(): Promise<void> {
    const pings = ++this.pings;
    void this.send('PING\r\n');
    await this.until(() => this.pongs >= pings, 'PONG', DEADLINE_MS);
  }

  /** Waits for the server to end it. */
  async end(deadlineMs = DEADLINE_MS): Promise<string> {
    await this.until(() => this.ended, 'the end', deadlineMs);
    return this.errorText;
  }

  /** What the server said last, such as `Stale Connection`; empty when it ended without a word. */
  get errorText(): string {
    return [...this.text.matchAll(/-ERR '([^\r\n]*)'/g)].at(-1)?.[1] ?? '';
  }

  /** Reads no more. */
  deafen(): void {
    this.socket.pause();
  }

  close(): void {
    this.socket.resetAndDestroy();
  }

  private wake(): void {
    for (const look of this.changed) look();
  }

  private until(holds: () => boolean, what: string, deadlineMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const finish = (error?: Error) => {
        clearTimeout(timer);
        this.changed = this.changed.filter((one) => one !== look);
        if (error === undefined) resolve(holds());
        else reject(error);
      };
      const timer = setTimeout(
        () => finish(new Error(`waited ${deadlineMs} ms for ${what}: ${this.text.slice(-400)}`)),
        deadlineMs,
      );
      const look = () => {
        if (holds() || this.ended) finish();
      };
      this.changed.push(look);
      look();
    });
  }
}

/** How connections ended: `40 × Stale Connection, 2 × closed`. */
export function endings(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text || 'closed', (counts.get(text || 'closed') ?? 0) + 1);
  return [...counts].map(([text, count]) => `${count.toLocaleString('en')} × ${text}`).join(', ');
}

/** Runs `run` for 0, 1, 2 … `count - 1`, so many at a time. */
export async function inTurns(count: number, atATime: number, run: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: Math.min(count, atATime) }, worker));
}

/** Counts from now on how often `word` comes. */
export function counting(raw: Raw, word: string): () => number {
  let count = 0;
  let rest = '';
  raw.socket.on('data', (chunk) => {
    const text = rest + chunk.toString('latin1');
    const pieces = text.split(word);
    count += pieces.length - 1;
    // Too short to hold the word, long enough for all but its last letter.
    rest = pieces.at(-1)!.slice(-(word.length - 1));
  });
  return () => count;
}
