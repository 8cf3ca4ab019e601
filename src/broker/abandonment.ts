import { filterMatches, hasWildcard } from '../subject/subject.js';
import type { Account } from './account.js';

/** Told when nobody listens any more to the subjects that requests of one account are to be answered on. */
export class Abandonment {
  private readonly account: Account;
  private readonly onAbandoned: (id: string) => void;
  /** Requests by the subject of their answer. */
  private readonly ids = new Map<string, Set<string>>();
  private readonly forget: () => void;

  constructor(account: Account, onAbandoned: (id: string) => void) {
    this.account = account;
    this.onAbandoned = onAbandoned;
    this.forget = account.watchInterest(({ filter }, added) => {
      if (!added) this.onEnd(filter);
    });
  }

  watch(subject: string, id: string): void {
    const known = this.ids.get(subject);
    if (known === undefined) this.ids.set(subject, new Set([id]));
    else known.add(id);
  }

  unwatch(subject: string, id: string): void {
    const known = this.ids.get(subject);
    known?.delete(id);
    if (known?.size === 0) this.ids.delete(subject);
  }

  end(): void {
    this.ids.clear();
    this.forget();
  }

  private onEnd(filter: string): void {
    if (!hasWildcard(filter)) this.look(filter);
    else for (const subject of this.ids.keys()) if (filterMatches(filter, subject)) this.look(subject);
  }

  private look(subject: string): void {
    const ids = this.ids.get(subject);
    if (ids === undefined || this.account.hasInterest(subject)) return;
    this.ids.delete(subject);
    for (const id of ids) this.onAbandoned(id);
  }
}
