import { hasAnyPrefix, textOf, utf8 } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import { type Leg, type Publisher, type Subscriber, Subscription } from '../broker/subscription.js';
import type { AuditEntry } from '../host/audit.js';
import { API_PREFIX, type PluginApi } from '../host/plugin-api.js';
import { composeMessage, type Message } from '../message/message.js';
import { requestorOf } from './requestor.js';

/** Requests that may be at work at the same time; further ones are left unanswered. */
const IN_FLIGHT_MAX = 256;
/** Acknowledgements, and answers to flow control. */
const REPLIES_TO_STREAMS = [utf8('$JS.')];

/** Told what was changed in an account, and by whom: as others are told of a client. */
export type PluginChangeListener = (account: Account, entry: AuditEntry, by: object | null) => void;

/** Listens on `$WEIR.API.>` in an account and answers each request. */
export class ApiResponder implements Subscriber {
  private readonly account: Account;
  private readonly api: PluginApi;
  private readonly onChange: PluginChangeListener;
  private inFlight = 0;

  constructor(account: Account, api: PluginApi, onChange: PluginChangeListener) {
    this.account = account;
    this.api = api;
    this.onChange = onChange;
    account.subscribe(new Subscription(this, utf8(`${API_PREFIX}>`), null, utf8('api')));
  }

  deliver(_leg: Leg, message: Message, publisher: Publisher | null): boolean {
    const { bytes, subjectStart, subjectEnd, replyStart, replyEnd, headersStart, payloadStart, payloadEnd } = message;
    if (this.inFlight >= IN_FLIGHT_MAX || replyEnd === replyStart) return false;
    // A consumer's deliveries are no requests: whoever may make a consumer need not be one who may ask for this.
    if (hasAnyPrefix(bytes, replyStart, replyEnd, REPLIES_TO_STREAMS)) return false;
    const reply = bytes.slice(replyStart, replyEnd);
    const request = {
      subject: textOf(bytes, subjectStart, subjectEnd),
      headers: textOf(bytes, headersStart, payloadStart),
      payload: bytes.slice(payloadStart, payloadEnd),
    };
    // The publisher may be gone when all is done.
    const by = requestorOf(publisher, request.headers);
    const onChange = (entry: AuditEntry) => this.onChange(this.account, entry, by);
    this.inFlight++;
    void this.answer(reply, this.api.handle({ ...request, onChange }));
    return true;
  }

  private async answer(reply: Uint8Array, answer: Promise<Uint8Array>): Promise<void> {
    const payload = await answer;
    this.inFlight--;
    this.account.publishDirect(composeMessage({ subject: reply, reply: null, headers: null, payload }));
  }
}
