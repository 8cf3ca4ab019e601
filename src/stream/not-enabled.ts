import { textOf, utf8 } from '../base/bytes.js';
import type { Account } from '../broker/account.js';
import { ServiceImport } from '../broker/service-import.js';
import { type Leg, type Subscriber, Subscription } from '../broker/subscription.js';
import { composeMessage, type Message, NO_BYTES } from '../message/message.js';
import { typeOfOperation } from './api.js';
import { errorJson } from './api-error.js';

/** As in nats-server, the account that answers this one answers for everything; what is not imported from it, nobody does. */
const INFO = composeMessage({ subject: utf8('$JS.API.INFO'), reply: null, headers: null, payload: NO_BYTES });

/** Answers for an account that may not store anything: that it may not, unless another account's API answers for it. */
export class NotEnabledApi implements Subscriber {
  private readonly broker: Account;
  private readonly subscription: Subscription;

  constructor(broker: Account) {
    this.broker = broker;
    this.subscription = new Subscription(this, utf8('$JS.API.>'), null, utf8('js'));
    broker.subscribe(this.subscription);
  }

  close(): void {
    this.broker.unsubscribe(this.subscription);
  }

  deliver(_leg: Leg, message: Message): boolean {
    const { bytes, subjectStart, subjectEnd, replyStart, replyEnd } = message;
    if (replyEnd === replyStart || this.isImported(message) || this.isImported(INFO)) return false;
    const type = typeOfOperation(textOf(bytes, subjectStart, subjectEnd));
    const payload = utf8(JSON.stringify({ type, error: errorJson('notEnabledForAccount') }));
    const subject = bytes.slice(replyStart, replyEnd);
    this.broker.publishDirect(composeMessage({ subject, reply: null, headers: null, payload }));
    return true;
  }

  private isImported(message: Message): boolean {
    return this.broker
      .routeOf(message)
      .legs.some(({ subscription }) => subscription.subscriber instanceof ServiceImport);
  }
}
