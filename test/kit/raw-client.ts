import { connect, type Socket } from 'node:net';

/** A test waits no longer than this for what must come at once. */
const DEADLINE_MS = 3_000;

/** A server's address. */
export interface Address {
  host: string;
  port: number;
}

/** `nats://host:port` as an address. */
export function addressOf(url: string): Address {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

/**
 * A connection that knows nothing of NATS: it sends bytes, and takes bytes and lines in the order in which they came. Every wait has a
 * deadline and, when that passes, says what was expected and what is there.
 */
export class RawClient {
  readonly socket: Socket;
  private received: Buffer = Buffer.alloc(0);
  /** The server had closed when we still sent: what it said before may have been lost on the way. */
  wasReset = false;
  private ended = false;
  private changed: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
      this.wake();
    });
    socket.on('close', () => {
      this.ended = true;
      this.wake();
    });
    // A server that closes while we still send resets the connection: that is a close, too.
    socket.on('error', () => {
      this.wasReset = true;
      socket.destroy();
    });
  }

  static open({ host, port }: Address): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, host);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** Opens a connection, reads INFO, sends CONNECT with these fields (over `verbose` and `pedantic` false) and waits for the PONG. */
  static async connected(address: Address, fields: object = {}): Promise<RawClient> {
    const client = await RawClient.open(address);
    await client.line();
    client.send(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, ...fields })}\r\nPING\r\n`);
    await client.expect('PONG\r\n');
    return client;
  }

  /** Whether the server closed the connection (what came before may still be unread). */
  get closed(): boolean {
    return this.ended;
  }

  /** What came and was not taken yet. */
  get unread(): Buffer {
    return this.received;
  }

  /** Text is sent as latin1: one byte for each character below 256. */
  send(bytes: string | Uint8Array): void {
    if (!this.socket.destroyed) this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Sends, and waits until the kernel has taken it. */
  sendAndFlush(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve();
      else this.socket.write(bytes, () => resolve());
    });
  }

  /** Takes the next line, without its CRLF. */
  async line(deadlineMs = DEADLINE_MS): Promise<string> {
    await this.until(() => this.received.includes('\r\n'), 'a line', deadlineMs);
    const end = this.received.indexOf('\r\n');
    return this.take(end + 2)
      .subarray(0, end)
      .toString('latin1');
  }

  /** Takes `length` bytes. */
  async bytes(length: number, deadlineMs = DEADLINE_MS): Promise<Buffer> {
    await this.until(() => this.received.length >= length, `${length} bytes`, deadlineMs);
    return this.take(length);
  }

  /** Takes exactly these bytes, given as latin1 text, and fails at the first that differs. */
  async expect(text: string, deadlineMs = DEADLINE_MS): Promise<void> {
    const expected = Buffer.from(text, 'latin1');
    const fits = () => this.received.subarray(0, expected.length).equals(expected.subarray(0, this.received.length));
    const done = () => this.received.length >= expected.length || !fits();
    await this.until(done, JSON.stringify(text), deadlineMs);
    if (!fits()) throw new Error(`expected ${JSON.stringify(text)}, got ${this.describeUnread()}`);
    this.take(expected.length);
  }

  /** Takes everything up to the end of the connection; fails when the server does not close it. */
  async rest(deadlineMs = DEADLINE_MS): Promise<string> {
    await this.until(() => this.ended, 'the connection to be closed', deadlineMs, true);
    return this.take(this.received.length).toString('latin1');
  }

  /** The server closes the connection and says nothing more. */
  async expectClosed(deadlineMs = DEADLINE_MS): Promise<void> {
    const rest = await this.rest(deadlineMs);
    if (rest !== '') throw new Error(`expected the connection to be closed, got ${JSON.stringify(rest)}`);
  }

  /** PING, and PONG as the very next line: everything sent before was dealt with and led to nothing unread. */
  async expectQuiet(deadlineMs = DEADLINE_MS): Promise<void> {
    this.send('PING\r\n');
    await this.expect('PONG\r\n', deadlineMs);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.closed) resolve();
      this.socket.once('close', () => resolve());
      this.socket.destroy();
    });
  }

  private take(length: number): Buffer {
    const taken = this.received.subarray(0, length);
    this.received = this.received.subarray(length);
    return taken;
  }

  private wake(): void {
    this.changed?.();
  }

  private describeUnread(): string {
    const text = JSON.stringify(this.received.subarray(0, 400).toString('latin1'));
    return this.ended ? `${text} and the end of the connection` : text;
  }

  /** Waits until `ready`; fails when the deadline passes or, unless `pastTheEnd`, the connection ends first. */
  private async until(ready: () => boolean, what: string, deadlineMs: number, pastTheEnd = false): Promise<void> {
    if (ready()) return;
    await new Promise<void>((resolve, reject) => {
      const finish = (error?: Error) => {
        clearTimeout(timer);
        this.changed = null;
        if (error === undefined) resolve();
        else reject(error);
      };
      const fail = (why: string) => finish(new Error(`expected ${what}, ${why}: got ${this.describeUnread()}`));
      const timer = setTimeout(() => fail(`waited ${deadlineMs} ms`), deadlineMs);
      this.changed = () => {
        if (ready()) finish();
        else if (this.ended && !pastTheEnd) fail('connection closed');
      };
      this.changed();
    });
  }
}
