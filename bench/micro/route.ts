import { utf8 } from '../../src/base/bytes.js';
import { Account } from '../../src/broker/account.js';
import { type Subscriber, Subscription } from '../../src/broker/subscription.js';
import { composeMessage, type Message, NO_BYTES } from '../../src/message/message.js';
import type { MicroFigure } from '../micro.js';
import { kept, nsPerStep } from '../timing.js';

const LOOKUPS = 200_000;
/** More subjects than the cache has room for, so that nearly every look-up misses. */
const MISSED_SUBJECTS = 300_000;
const nobody: Subscriber = { deliver: () => true };

function messageOn(subject: string): Message {
  return composeMessage({ subject: utf8(subject), reply: null, headers: null, payload: NO_BYTES });
}

/** An account with so many wildcard filters, of which each subject `site.<i>.line.temperature` matches one. */
function accountWith(filters: number): Account {
  const account = new Account('bench', null, Math.random);
  for (let i = 0; i < filters; i++) {
    const filter = utf8(i % 2 === 0 ? `site.${i}.*.temperature` : `site.${i}.>`);
    account.subscribe(new Subscription(nobody, filter, null, utf8(String(i))));
  }
  return account;
}

function lookUp(account: Account, messages: Message[]): number {
  let at = 0;
  return nsPerStep(LOOKUPS, () => {
    for (let i = 0; i < LOOKUPS; i++) {
      kept.value += account.routeOf(messages[at]).legs.length;
      at = at + 1 === messages.length ? 0 : at + 1;
    }
  });
}

function subjects(count: number, sites: number): Message[] {
  return Array.from({ length: count }, (_, i) =>
    messageOn(`site.${i % sites}.line-${Math.floor(i / sites)}.temperature`),
  );
}

/** From a subject to its route. */
export async function benches(): Promise<MicroFigure[]> {
  const figures: MicroFigure[] = [];
  const small = accountWith(1000);
  figures.push({ name: 'route, cached, 1 subject', ns: lookUp(small, subjects(1, 1)) });
  figures.push({ name: 'route, cached, 10,000 subjects', ns: lookUp(small, subjects(10_000, 1000)) });
  for (const filters of [1, 10_000, 100_000]) {
    const ns = lookUp(accountWith(filters), subjects(MISSED_SUBJECTS, filters));
    figures.push({ name: `route, not cached, ${filters.toLocaleString('en')} wildcard filters`, ns });
  }
  return figures;
}
