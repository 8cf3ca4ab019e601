import { lastWord, rangesEqual } from '../base/bytes.js';
import type { Message } from '../message/message.js';
import type { Route } from './route.js';

/** Places a subject's hash may be stored at. */
const WAYS = 8;
/** Sets are counted in powers of two: 16 at first, 8,192 with 65,536 routes at most. */
const SET_BITS_MIN = 4;
const SET_BITS_MAX = 13;
const placesOf = (setBits: number): (Route | null)[] => new Array((1 << setBits) * WAYS).fill(null);

/**
 * Routes by subject, a set-associative cache as in a processor: a subject's hash names a set of eight places, a lookup looks
 * at those, and when all are taken the newcomer takes the place of one. Bounded, no string is made, and hostile
 * subjects that share a hash cost eight comparisons.
 *
 * ```text
 * hash -> set 0 | r | r | - | - | - | - | - | - |
 *         set 1 | r | - | …
 * ```
 */
export class RouteCache {
  private places = placesOf(SET_BITS_MIN);
  private setBits = SET_BITS_MIN;
  private victim = 0;
  size = 0;

  /** The route of the message's subject, or null. */
  lookup(message: Message): Route | null {
    const hash = message.subjectHash;
    const start = message.subjectStart;
    const length = message.subjectEnd - start;
    const places = this.places;
    const first = this.firstPlace(hash);
    for (let i = first; i < first + WAYS; i++) {
      const route = places[i];
      if (route === null) return null;
      if (route.hash !== hash || route.subject.length !== length) continue;
      if (sameSubject(route, message.words, start, length)) return route;
    }
    return null;
  }

  insert(route: Route): void {
    if (this.size > this.places.length / 2 && this.setBits < SET_BITS_MAX) this.grow();
    const places = this.places;
    const first = this.firstPlace(route.hash);
    for (let i = first; i < first + WAYS; i++) {
      if (places[i] === null) {
        places[i] = route;
        this.size++;
        return;
      }
    }
    this.victim = (this.victim + 1) % WAYS;
    places[first + this.victim] = route;
  }

  /** Forgets every route for which `stale` holds. */
  forget(stale: (route: Route) => boolean): void {
    const places = this.places;
    for (let first = 0; first < places.length; first += WAYS) {
      let to = first;
      for (let from = first; from < first + WAYS; from++) {
        const route = places[from];
        if (route === null) break;
        if (stale(route)) this.size--;
        else places[to++] = route;
      }
      while (to < first + WAYS && places[to] !== null) places[to++] = null;
    }
  }

  /** Forgets the route of one subject. */
  forgetSubject(hash: number, subject: Uint8Array): void {
    const places = this.places;
    const first = this.firstPlace(hash);
    for (let i = first; i < first + WAYS; i++) {
      const route = places[i];
      if (route === null) return;
      if (route.hash !== hash || route.subject.length !== subject.length) continue;
      if (!rangesEqual(route.subject, 0, subject, 0, subject.length)) continue;
      this.size--;
      let last = i;
      while (last + 1 < first + WAYS && places[last + 1] !== null) last++;
      places[i] = places[last];
      places[last] = null;
      return;
    }
  }

  forEach(visit: (route: Route) => void): void {
    for (const route of this.places) if (route !== null) visit(route);
  }

  clear(): void {
    this.places = placesOf(SET_BITS_MIN);
    this.setBits = SET_BITS_MIN;
    this.size = 0;
  }

  private firstPlace(hash: number): number {
    // The hash's high bits are its best.
    return (hash >>> (32 - this.setBits)) * WAYS;
  }

  private grow(): void {
    const old = this.places;
    this.setBits = Math.min(SET_BITS_MAX, this.setBits + 2);
    this.places = placesOf(this.setBits);
    this.size = 0;
    for (const route of old) if (route !== null) this.insert(route);
  }
}

/** Compares by words; of the last one only the bytes that belong to the subject. */
function sameSubject(route: Route, words: DataView, start: number, length: number): boolean {
  const own = route.words;
  const whole = length >> 2;
  for (let i = 0; i < whole; i++) if (own[i] !== words.getInt32(start + i * 4, true)) return false;
  const rest = length & 3;
  return rest === 0 || own[whole] === lastWord(words, start + whole * 4, rest);
}
