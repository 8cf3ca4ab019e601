import { utf8 } from '../base/bytes.js';
import type { Clock } from '../base/clock.js';
import type { Account } from '../broker/account.js';
import { composeMessage } from '../message/message.js';

/** Tells whoever listens what happens to streams and consumers. Nothing is made when nobody does. */
export class Advisories {
  private readonly broker: Account;
  private readonly clock: Clock;
  private readonly newId: (length: number) => string;
  private readonly domain: string;

  constructor(parts: { broker: Account; clock: Clock; newId: (length: number) => string; domain: string }) {
    this.broker = parts.broker;
    this.clock = parts.clock;
    this.newId = parts.newId;
    this.domain = parts.domain;
  }

  /** `$JS.EVENT.ADVISORY.<subject>`. */
  advise(subject: string, type: string, fields: object): void {
    this.publish(`$JS.EVENT.ADVISORY.${subject}`, `io.nats.jetstream.advisory.v1.${type}`, fields);
  }

  /** `$JS.EVENT.METRIC.<subject>`. */
  measure(subject: string, type: string, fields: object): void {
    this.publish(`$JS.EVENT.METRIC.${subject}`, `io.nats.jetstream.metric.v1.${type}`, fields);
  }

  private publish(subject: string, type: string, fields: object): void {
    if (!this.broker.hasInterest(subject)) return;
    const event = {
      type,
      id: this.newId(22),
      timestamp: new Date(this.clock.nowMs()).toISOString(),
      ...fields,
      domain: this.domain || undefined,
    };
    const payload = utf8(JSON.stringify(event));
    this.broker.publish(composeMessage({ subject: utf8(subject), reply: null, headers: null, payload }));
  }
}
