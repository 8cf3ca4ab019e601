import { textOf, utf8 } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import { type Leg, type Publisher, type Subscriber, Subscription } from '../broker/subscription.js';
import { API_PREFIX, type PluginApi } from '../host/plugin-api.js';
import { composeMessage, type Message } from '../message/message.js';

/** Requests that may be at work at the same time; further ones are left unanswered. */
const IN_FLIGHT_MAX = 256;

/** Listens on `$WEIR.API.>` in an account and answers each request. */
export class ApiResponder implements Subscriber {
  private readonly account: Account;
  private readonly api: PluginApi;
  private inFlight = 0;

  constructor(account: Account, api: PluginApi) {
    this.account = account;
    this.api = api;
    account.subscribe(new Subscription(this, utf8(`${API_PREFIX}>`), null, utf8('api')));
  }

  deliver(_leg: Leg, message: Message, _publisher: Publisher | null): boolean {
    const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
    if (this.inFlight >= IN_FLIGHT_MAX || replyEnd === replyStart) return false;
    const reply = bytes.slice(replyStart, replyEnd);
    const request = {
      subject: textOf(bytes, subjectStart, subjectEnd),
      headers: textOf(bytes, headersStart, payloadStart),
      payload: bytes.slice(payloadStart, payloadEnd),
    };
    this.inFlight++;
    void this.answer(reply, this.api.handle(request));
    return true;
  }

  private async answer(reply: Uint8Array, answer: Promise<Uint8Array>): Promise<void> {
    const payload = await answer;
    this.inFlight--;
    this.account.publishDirect(composeMessage({ subject: reply, reply: null, headers: null, payload }));
  }
}
