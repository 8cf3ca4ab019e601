import { rangesEqual } from '../base/bytes.js';
import { isSubject, type Message } from '../message/message.js';
import type { Route } from './route.js';

/** Places a subject's hash may be stored at. */
const WAYS = 8;
/** Sets are counted in powers of two: 16 at first, 8,192 with 65,536 routes at most; fewer where memory counts. */
const SET_BITS_MIN = 4;
const SET_BITS_MAX = 13;
const SMALL_SET_BITS_MAX = 10;

/**
 * Routes by subject, a set-associative cache as in a processor: a subject's hash names a set of eight places, a lookup looks
 * at those, and when all are taken the newcomer takes the place of one. Bounded, no string is made, and hostile
 * subjects that share a hash cost eight comparisons. The hashes lie by themselves, so that a look-up that finds nothing
 * touches one line of the processor's cache.
 *
 * ```text
 * hash -> set 0   hashes | h | h | - | - | - | - | - | - |   routes | r | r | - | …
 *         set 1          | h | - | …                                | r | - | …
 * ```
 */
export class RouteCache {
  private setBits = SET_BITS_MIN;
  private setBitsMax = SET_BITS_MAX;
  private hashes = new Int32Array(WAYS << SET_BITS_MIN);
  /** Those of a set stand at its front. */
  private routes = noRoutes(WAYS << SET_BITS_MIN);
  private victim = 0;
  size = 0;

  /** Keeps 8,192 routes at most from now on. */
  keepFew(): void {
    this.setBitsMax = SMALL_SET_BITS_MAX;
    this.clear();
  }

  /** The route of the message's subject, or null. */
  lookup(message: Message): Route | null {
    const hash = message.subjectHash;
    const { hashes } = this;
    const first = this.firstPlace(hash);
    for (let i = first; i < first + WAYS; i++) {
      if (hashes[i] !== hash) continue;
      const route = this.routes[i];
      if (route !== null && isSubject(message, route.words, route.subject.length)) return route;
    }
    return null;
  }

  insert(route: Route): void {
    if (this.size > this.routes.length / 2 && this.setBits < this.setBitsMax) this.grow();
    const first = this.firstPlace(route.hash);
    for (let i = first; i < first + WAYS; i++) {
      if (this.routes[i] !== null) continue;
      this.put(i, route);
      this.size++;
      return;
    }
    this.victim = (this.victim + 1) % WAYS;
    this.put(first + this.victim, route);
  }

  /** Forgets every route for which `stale` holds. */
  forget(stale: (route: Route) => boolean): void {
    const { routes } = this;
    for (let first = 0; first < routes.length; first += WAYS) {
      let to = first;
      for (let from = first; from < first + WAYS; from++) {
        const route = routes[from];
        if (route === null) break;
        if (stale(route)) this.size--;
        else this.put(to++, route);
      }
      while (to < first + WAYS && routes[to] !== null) this.put(to++, null);
    }
  }

  /** Forgets the route of one subject. */
  forgetSubject(hash: number, subject: Uint8Array): void {
    const { routes } = this;
    const first = this.firstPlace(hash);
    for (let i = first; i < first + WAYS; i++) {
      const route = routes[i];
      if (route === null) return;
      if (route.hash !== hash || route.subject.length !== subject.length) continue;
      if (!rangesEqual(route.subject, 0, subject, 0, subject.length)) continue;
      this.size--;
      let last = i;
      while (last + 1 < first + WAYS && routes[last + 1] !== null) last++;
      this.put(i, routes[last]);
      this.put(last, null);
      return;
    }
  }

  forEach(visit: (route: Route) => void): void {
    for (const route of this.routes) if (route !== null) visit(route);
  }

  clear(): void {
    this.resize(SET_BITS_MIN);
  }

  private firstPlace(hash: number): number {
    // The hash's high bits are its best.
    return (hash >>> (32 - this.setBits)) * WAYS;
  }

  private put(place: number, route: Route | null): void {
    this.routes[place] = route;
    this.hashes[place] = route === null ? 0 : route.hash;
  }

  private grow(): void {
    const old = this.routes;
    this.resize(Math.min(this.setBitsMax, this.setBits + 2));
    for (const route of old) if (route !== null) this.insert(route);
  }

  private resize(setBits: number): void {
    this.setBits = setBits;
    this.hashes = new Int32Array(WAYS << setBits);
    this.routes = noRoutes(WAYS << setBits);
    this.size = 0;
  }
}

function noRoutes(count: number): (Route | null)[] {
  return new Array(count).fill(null);
}
