import { filterMatches } from '../../src/subject/subject.js';

export interface ModelMessage {
  sequence: number;
  subject: string;
  headers: string;
  payload: string;
  timeMs: number;
  timeNs: number;
}

/** What a log is, in the simplest words: a sorted list of messages. */
export class ModelLog {
  messages: ModelMessage[] = [];
  last = 0;

  append(message: Omit<ModelMessage, 'sequence'>): number {
    this.messages.push({ ...message, sequence: ++this.last });
    return this.last;
  }

  skipTo(sequence: number): void {
    this.last = Math.max(this.last, sequence - 1);
  }

  get(sequence: number): ModelMessage | undefined {
    return this.messages.find((message) => message.sequence === sequence);
  }

  matching(filters: string[] | null): ModelMessage[] {
    if (filters === null) return this.messages;
    return this.messages.filter(({ subject }) => filters.some((filter) => filterMatches(filter, subject)));
  }

  /** Removes these; returns how many there were. */
  removeAll(gone: ModelMessage[]): number {
    const set = new Set(gone);
    this.messages = this.messages.filter((message) => !set.has(message));
    return set.size;
  }

  purge(options: { filters?: string[] | undefined; before?: number | undefined; keep?: number | undefined }): number {
    const matching = this.matching(options.filters ?? null);
    const kept = options.keep ? matching.slice(0, -options.keep) : matching;
    return this.removeAll(kept.filter(({ sequence }) => sequence < (options.before ?? Number.POSITIVE_INFINITY)));
  }

  trimMessages(max: number): number {
    return this.removeAll(this.messages.slice(0, Math.max(0, this.messages.length - max)));
  }

  trimSubject(subject: string, max: number): number {
    const matching = this.messages.filter((message) => message.subject === subject);
    return this.removeAll(matching.slice(0, Math.max(0, matching.length - max)));
  }

  subjects(): Map<string, ModelMessage[]> {
    const found = new Map<string, ModelMessage[]>();
    for (const message of this.messages) {
      const list = found.get(message.subject);
      if (list) list.push(message);
      else found.set(message.subject, [message]);
    }
    return found;
  }

  first(): number {
    return this.messages[0]?.sequence ?? this.last + 1;
  }

  gaps(): [number, number][] {
    const gaps: [number, number][] = [];
    let expected = this.first();
    for (const { sequence } of this.messages) {
      if (sequence > expected) gaps.push([expected, sequence - 1]);
      expected = sequence + 1;
    }
    if (expected <= this.last) gaps.push([expected, this.last]);
    return gaps;
  }
}
