import type { PullRequest } from './pull-request.js';

/** Requests that wait, in turn: one that got a message goes to the back. Prioritized ones come before those of a higher number. */
export class PullQueue {
  private readonly requests: PullRequest[] = [];
  private readonly prioritized: boolean;

  constructor(prioritized: boolean) {
    this.prioritized = prioritized;
  }

  get length(): number {
    return this.requests.length;
  }

  at(index: number): PullRequest {
    return this.requests[index];
  }

  add(request: PullRequest): void {
    const { requests } = this;
    let at = requests.length;
    if (this.prioritized) while (at > 0 && requests[at - 1].priority > request.priority) at--;
    requests.splice(at, 0, request);
  }

  remove(index: number): void {
    this.requests.splice(index, 1);
  }

  /** After a message for it: to the back of its priority, or out when it has all that it asked for. */
  served(index: number): void {
    const { requests } = this;
    const request = requests[index];
    if (request.remaining > 0 && requests.length === 1) return;
    requests.splice(index, 1);
    if (request.remaining > 0) this.add(request);
  }

  /** Messages that are asked for in all. */
  get wanted(): number {
    return this.requests.reduce((sum, { remaining }) => sum + remaining, 0);
  }

  clear(): PullRequest[] {
    return this.requests.splice(0);
  }
}
