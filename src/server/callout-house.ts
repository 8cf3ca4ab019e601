import { randomBytes } from 'node:crypto';
import { CALLOUT_SUBJECT, type CalloutHouse } from '../auth/callout.js';
import type { CalloutCipher } from '../auth/callout-answer.js';
import { utf8 } from '../base/bytes.js';
import { VERSION } from '../base/version.js';
import type { Account } from '../broker/account.js';
import { type Leg, type Subscriber, Subscription } from '../broker/subscription.js';
import { composeMessage, type Message } from '../message/message.js';
import type { ServerParts } from './server-parts.js';

/** What callouts need of the server. */
export function calloutHouse({
  options,
  accounts,
  identity,
  key,
  clock,
}: Pick<ServerParts, 'options' | 'accounts' | 'identity' | 'key' | 'clock'>): CalloutHouse {
  let cipher: Promise<CalloutCipher> | null = null;
  return {
    nowMs: () => clock.nowMs(),
    timeoutMs: () => options.authTimeoutMs,
    server: () => ({ name: identity.name, host: identity.host, id: identity.id, version: VERSION, tags: options.tags }),
    sign: (bytes) => key.sign(bytes),
    cipher: () => {
      cipher ??= newCipher();
      return cipher;
    },
    ask: (name, { payload, xkey }) => {
      const account = accounts.get(name);
      if (account === undefined) return Promise.resolve(null);
      const headers = xkey === null ? null : utf8(`NATS/1.0\r\nNats-Server-Xkey: ${xkey}\r\n\r\n`);
      return new Promise((resolve) => {
        const waiting = new Waiting(account, (answer) => {
          timer.cancel();
          resolve(answer);
        });
        const timer = clock.after(options.authTimeoutMs, () => waiting.end(null));
        const { reply } = waiting;
        const request = composeMessage({ subject: utf8(CALLOUT_SUBJECT), reply, headers, payload });
        if (account.publishDirect(request) === 0) waiting.end(null);
      });
    },
    isAccount: (name) => accounts.get(name) !== undefined,
  };
}

/** Listens for one answer. */
class Waiting implements Subscriber {
  readonly reply = utf8(`$SYS._INBOX.${randomBytes(12).toString('base64url')}`);
  private readonly account: Account;
  private readonly done: (payload: Uint8Array | null) => void;
  private readonly subscription: Subscription;

  constructor(account: Account, done: (payload: Uint8Array | null) => void) {
    this.account = account;
    this.done = done;
    this.subscription = new Subscription(this, this.reply, null, utf8('callout'), true);
    account.subscribe(this.subscription);
  }

  deliver(_leg: Leg, { bytes, payloadStart, payloadEnd }: Message): boolean {
    this.end(bytes.slice(payloadStart, payloadEnd));
    return true;
  }

  end(payload: Uint8Array | null): void {
    if (this.subscription.closed) return;
    this.subscription.closed = true;
    this.account.unsubscribe(this.subscription);
    this.done(payload);
  }
}

async function newCipher(): Promise<CalloutCipher> {
  const { createCurve } = await import('@nats-io/nkeys');
  const own = createCurve();
  return {
    publicKey: own.getPublicKey(),
    seal: (bytes, recipient) => own.seal(bytes, recipient),
    open: (bytes, sender) => {
      try {
        return own.open(bytes, sender);
      } catch {
        return null;
      }
    },
  };
}
