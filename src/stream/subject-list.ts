import { textOf } from '../base/bytes.js';
import { LogFilter } from '../storage/log-filter.js';
import type { MessageLog } from '../storage/message-log.js';
import { nextTurn, PART_MESSAGES } from './sweep.js';

/** Subjects that one answer may list. */
export const SUBJECTS_MAX = 100_000;
/** Steps of a merge, or lines of an answer, in one turn of the event loop: some 2 ms. */
const PART_STEPS = 10_000;

interface Counted {
  subject: string;
  messages: number;
}

/** Subjects of a stream, by their names from the `offset`th on. */
export interface SubjectList {
  /** How many the filter matches. */
  total: number;
  /** `{"<subject>":<messages>,…}`; empty: none. */
  json: string;
}

/** Lists what a filter matches, a part in each turn of the event loop: there may be millions of subjects. */
export async function listSubjects({ log }: { log: MessageLog }, filter: string, offset: number): Promise<SubjectList> {
  const runs = await gather(log, filter === '>' ? null : LogFilter.of([filter]));
  const total = runs.reduce((sum, run) => sum + run.length, 0);
  // If all have a place their order says nothing.
  if (offset === 0 && total <= SUBJECTS_MAX) return { total, json: await jsonOf(runs.flat()) };
  const end = offset + SUBJECTS_MAX;
  const page = offset >= total ? [] : (await mergeAll(runs, end)).slice(offset);
  return { total, json: await jsonOf(page) };
}

/** The subjects in sorted runs. */
async function gather(log: MessageLog, filter: LogFilter | null): Promise<Counted[][]> {
  const runs: Counted[][] = [];
  for (const cursor = { from: 0 }; ; ) {
    const run: Counted[] = [];
    const isMore = log.subjectsPart(filter, { cursor, most: PART_MESSAGES }, (subject, messages) => {
      run.push({ subject: textOf(subject), messages });
    });
    run.sort((one, other) => (one.subject < other.subject ? -1 : 1));
    if (run.length > 0) runs.push(run);
    if (!isMore) return runs;
    await nextTurn();
  }
}

/** The first `most` of all runs together. */
async function mergeAll(runs: Counted[][], most: number): Promise<Counted[]> {
  let left = runs;
  while (left.length > 1) {
    const merged: Counted[][] = [];
    for (let i = 0; i < left.length; i += 2)
      merged.push(i + 1 < left.length ? await merge(left[i], left[i + 1], most) : left[i]);
    left = merged;
  }
  return left[0].slice(0, most);
}

async function merge(one: readonly Counted[], other: readonly Counted[], most: number): Promise<Counted[]> {
  const merged: Counted[] = [];
  for (let i = 0, j = 0; merged.length < most && i + j < one.length + other.length; ) {
    const isOne = j === other.length || (i < one.length && one[i].subject <= other[j].subject);
    merged.push(isOne ? one[i++] : other[j++]);
    if (merged.length % PART_STEPS === 0) await nextTurn();
  }
  return merged;
}

async function jsonOf(page: readonly Counted[]): Promise<string> {
  if (page.length === 0) return '';
  const parts: string[] = [];
  for (let i = 0; i < page.length; i += PART_STEPS) {
    if (i > 0) await nextTurn();
    const lines = page
      .slice(i, i + PART_STEPS)
      .map(({ subject, messages }) => `${JSON.stringify(subject)}:${messages}`);
    parts.push(lines.join());
  }
  return `{${parts.join()}}`;
}
