import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { connect } from 'node:net';
import { type Credentials, type LoginOrder, type LoginResult, nowMs } from './orders.js';

const CONNECT_FIELDS = { verbose: false, pedantic: false, headers: true, lang: 'bench', version: '1', protocol: 0 };

/** Comes, logs in, waits until it is answered, goes, and comes again. */
export class Newcomer {
  private order: LoginOrder | null = null;
  private keys: (KeyObject | null)[] = [];
  private next = 0;

  open(order: LoginOrder): void {
    this.order = order;
    this.keys = order.credentials.map(({ key }) => (key === null ? null : createPrivateKey({ key, format: 'jwk' })));
  }

  /** Goes on for so long, or until `count` are in. A login that is refused ends the run. */
  async run(durationMs: number, count: number | null): Promise<LoginResult> {
    const beganMs = nowMs();
    const endMs = beganMs + durationMs;
    let left = count ?? Number.POSITIVE_INFINITY;
    let logins = 0;
    const lane = async () => {
      while (left-- > 0 && nowMs() < endMs) {
        await this.login();
        logins++;
      }
    };
    await Promise.all(Array.from({ length: this.order!.atOnce }, lane));
    return { logins, elapsedMs: nowMs() - beganMs };
  }

  private login(): Promise<void> {
    const { port, credentials } = this.order!;
    const index = this.next++ % credentials.length;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.setEncoding('latin1');
    return new Promise((resolve, reject) => {
      let text = '';
      let asked = false;
      socket.on('error', reject);
      socket.once('close', () => reject(new Error(`the server closed a connection that was logging in: ${text}`)));
      socket.on('data', (chunk: string) => {
        text += chunk;
        if (text.includes('-ERR')) reject(new Error(`a login was refused: ${text}`));
        else if (!asked && text.includes('\r\n')) {
          asked = true;
          socket.write(`${connectLine(credentials[index], this.keys[index], text)}PING\r\n`);
        } else if (text.includes('PONG\r\n')) {
          resolve();
          // Leaves no port in TIME_WAIT.
          socket.resetAndDestroy();
        }
      });
    });
  }

  close(): void {
    this.order = null;
    this.keys = [];
  }
}

function connectLine({ fields }: Credentials, key: KeyObject | null, info: string): string {
  const nonce = /"nonce":"([^"]+)"/.exec(info)?.[1] ?? '';
  const signed = key === null ? {} : { sig: sign(null, Buffer.from(nonce), key).toString('base64url') };
  return `CONNECT ${JSON.stringify({ ...CONNECT_FIELDS, ...fields, ...signed })}\r\n`;
}
