import { filterMatches, isLiteralSubject } from '../subject/subject.js';
import { subscriptionJson } from './connection-json.js';
import { BadQuery, booleanOf, pageOf } from './query.js';
import type { MonitorSource, ServerSnapshot } from './snapshots.js';

/** `/subsz`: figures of all interest, and the clients' subscriptions if asked for. */
export function subsz(source: MonitorSource, query: URLSearchParams, nowMs: number): object {
  const listed = booleanOf(query, 'subs');
  const { offset, limit } = pageOf(query);
  const test = query.get('test') ?? '';
  if (test !== '' && !isLiteralSubject(test))
    throw new BadQuery(`invalid test subject, must be valid publish subject: ${test}`);
  const server = source.server();
  const account = query.get('acc') ?? '';
  const one = account === '' ? undefined : (source.accounts().find(({ name }) => name === account) ?? null);
  const found = listed ? subscriptionsOf(source, test, account) : [];
  return {
    server_id: server.id,
    now: new Date(nowMs).toISOString(),
    ...(one === null ? NO_INTEREST : interestJson(one ?? server)),
    total: found.length,
    offset,
    limit,
    subscriptions_list: listed
      ? found.slice(offset, offset + limit).map((subscription) => ({
          account: subscription.account,
          account_tag: subscription.account,
          ...subscriptionJson(subscription),
        }))
      : undefined,
  };
}

function subscriptionsOf(source: MonitorSource, test: string, account: string) {
  return source
    .openConnections(true)
    .flatMap((connection) => connection.subscriptions)
    .filter(({ account: of }) => account === '' || of === account)
    .filter(({ filter }) => test === '' || filterMatches(filter, test));
}

/** The figures of `/subsz`. Every message that comes in is a match, answered from the cache unless all interest had to be walked. */
export function interestJson({ interest, inMessages }: Pick<ServerSnapshot, 'interest' | 'inMessages'>): object {
  const matches = Math.max(inMessages, interest.walks);
  return {
    num_subscriptions: interest.subscriptions,
    num_cache: interest.cachedRoutes,
    num_inserts: interest.inserts,
    num_removes: interest.removes,
    num_matches: matches,
    cache_hit_rate: matches === 0 ? 0 : (matches - interest.walks) / matches,
    max_fanout: interest.fanoutMax,
    avg_fanout: interest.fanoutMean,
  };
}

const NO_INTEREST = {
  num_subscriptions: 0,
  num_cache: 0,
  num_inserts: 0,
  num_removes: 0,
  num_matches: 0,
  cache_hit_rate: 0,
  max_fanout: 0,
  avg_fanout: 0,
};
