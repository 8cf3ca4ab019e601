import { beginsWith, hashWords, type Message } from '../message/message.js';
import { DOT } from '../subject/subject.js';
import { Route } from './route.js';
import { Leg } from './subscription.js';

/** Places, of which the high bits of a hash choose one. */
const PLACE_BITS = 6;

/**
 * Who gets the answers on reply subjects that are used once each. Those of one client begin alike, and end in a token that wildcards match alone
 * (`_INBOX.<client>.*`): whoever got one of them gets all. To match each anew takes longer than to write it (bench: stream-async-500).
 */
export class AnswerRoutes {
  private readonly routes: (Route | null)[] = [];
  /** Of the subject that `find` was asked for: where its last token begins, and the hash of what is before that. */
  private lastToken = 0;
  private hash = 0;

  /** The route of another subject with the same receivers, or null. */
  find(message: Message): Route | null {
    const { bytes, words, subjectStart, subjectEnd } = message;
    let at = subjectEnd;
    while (at > subjectStart && bytes[at - 1] !== DOT) at--;
    this.lastToken = at;
    // An empty token matches nothing.
    if (at === subjectEnd || this.routes.length === 0) return null;
    this.hash = hashWords(words, subjectStart, at);
    const route = this.routes[this.hash >>> (32 - PLACE_BITS)];
    if (route === null || route.hash !== this.hash || route.subject.length !== at - subjectStart) return null;
    return beginsWith(message, route.words, route.subject.length) ? route : null;
  }

  /** Keeps a copy of the route of the subject that `find` was just asked for, whose last token no literal could have matched. */
  keep({ bytes, words, subjectStart, subjectEnd }: Message, { legs, groups, linked }: Route): void {
    // What goes on to other accounts depends on the whole subject.
    if (linked || this.lastToken === subjectStart || this.lastToken === subjectEnd) return;
    if (this.routes.length === 0) for (let i = 0; i < 1 << PLACE_BITS; i++) this.routes.push(null);
    const hash = hashWords(words, subjectStart, this.lastToken);
    const route = new Route(bytes.slice(subjectStart, this.lastToken), hash);
    for (const { subscription } of legs) route.legs.push(new Leg(subscription));
    for (const members of groups) route.groups.push(members.map(({ subscription }) => new Leg(subscription)));
    this.routes[hash >>> (32 - PLACE_BITS)] = route;
  }

  /** Interest changed. */
  clear(): void {
    this.routes.length = 0;
  }
}
