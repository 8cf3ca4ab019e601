import { connect, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectSecurely, TLSSocket } from 'node:tls';

/** One buffer for all reads of this process: what arrives is counted or copied before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);
const CONNECT_FIELDS = {
  verbose: false,
  pedantic: false,
  headers: true,
  no_responders: true,
  lang: 'bench',
  version: '1',
  protocol: 0, // no second INFO in the middle of the data
};

/** A raw NATS connection that allocates nothing per read. */
export class Connection {
  readonly socket: Socket;
  /** Takes what arrives; until the handshake is over that is text. */
  onBytes: (bytes: Buffer, length: number) => void;
  onFailure: (error: Error) => void = () => {};
  private text = '';
  private waiting: (() => void)[] = [];
  private failed: Error | null = null;
  private readonly connectLine: string;

  /** `credentials` are further fields of CONNECT; with `tls` its handshake comes before everything else. */
  constructor(port: number, credentials: object = {}, tls = false) {
    this.connectLine = `CONNECT ${JSON.stringify({ ...CONNECT_FIELDS, ...credentials })}\r\n`;
    this.onBytes = (bytes, length) => this.readText(bytes, length);
    const onread: OnReadOpts = {
      buffer: readBuffer,
      callback: (length, bytes) => {
        this.onBytes(bytes as Buffer, length);
        return true;
      },
    };
    const options = { port, host: '127.0.0.1', noDelay: true, onread };
    // Certificates are made for each run, and nobody is to be deceived.
    this.socket = tls ? connectSecurely({ ...options, rejectUnauthorized: false }) : connect(options);
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', () => this.fail(new Error('the server closed the connection')));
  }

  /** Connects, sends `lines`, and resolves when the server has handled them. */
  async open(lines: string): Promise<void> {
    this.socket.write(this.connectLine + lines);
    await this.flush();
  }

  /** Resolves at the PONG to a PING sent now. */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.failed !== null) {
        reject(this.failed);
        return;
      }
      this.waiting.push(() => (this.failed === null ? resolve() : reject(this.failed)));
      this.socket.write('PING\r\n');
    });
  }

  /** Closes without leaving the port in TIME_WAIT. */
  close(): void {
    this.onFailure = () => {};
    this.failed ??= new Error('closed');
    if (this.socket instanceof TLSSocket) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  private readText(bytes: Buffer, length: number): void {
    this.text += bytes.toString('latin1', 0, length);
    for (let end = this.text.indexOf('\r\n'); end >= 0; end = this.text.indexOf('\r\n')) {
      const line = this.text.slice(0, end);
      this.text = this.text.slice(end + 2);
      if (line === 'PING') this.socket.write('PONG\r\n');
      else if (line === 'PONG') this.waiting.shift()?.();
      else if (line.startsWith('-ERR')) this.fail(new Error(`the server said ${line}`));
    }
  }

  /** Ends whatever waits for this connection. */
  fail(error: Error): void {
    if (this.failed !== null) return;
    this.failed = error;
    for (const wake of this.waiting.splice(0)) wake();
    this.onFailure(error);
  }
}
