import { Route } from './route.js';
import { copyOf, type Leg, type Part } from './subscription.js';

/** Requests and their answers. Accounts that import the same subject as a stream hear nothing of them. */
export const REQUESTED: Part = { plain: true, groups: null, services: true };
/** What a stream brings to those that listen each for themselves. */
const PLAIN: Part = { plain: true, groups: [], services: false };

/** What a stream brings: `groups` are those of which a member here was chosen among all accounts' members. */
export function importedPart(plain: boolean, groups: readonly string[]): Part {
  return plain && groups.length === 0 ? PLAIN : { plain, groups, services: false };
}

/** The route as it is for such a message. */
export function partOf(route: Route, part: Part): Route {
  if (!route.linked && part.plain && (part.groups === null || route.groups.length === 0)) return route;
  if (!route.kept) return made(route, part);
  if (part === PLAIN) {
    route.plainPart ??= made(route, part);
    return route.plainPart;
  }
  if (part !== REQUESTED) return made(route, part);
  route.requestedPart ??= made(route, part);
  return route.requestedPart;
}

function made(route: Route, { plain, groups, services }: Part): Route {
  const part = new Route(null, 0);
  const isMeant = ({ subscription: { hidden, subscriber } }: Leg) =>
    !hidden || subscriber.link === undefined || (services && subscriber.link === 'service');
  // The legs of a route that is not kept are another's soon.
  if (plain) part.legs.push(...route.legs.filter(isMeant).map(copyOf));
  for (const members of route.groups) {
    const { queue } = members[0].subscription;
    if (queue === null || groups?.includes(queue) === false) continue;
    const meant = members.filter(isMeant);
    if (meant.length > 0) part.groups.push(meant.map(copyOf));
  }
  part.chain = route.chain;
  part.filtered = route.filtered;
  return part;
}
