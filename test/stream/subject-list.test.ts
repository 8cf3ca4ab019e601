// Lists of more subjects than one answer may have.
import { expect, it } from 'vitest';
import { MemoryLog } from '../../src/storage/memory-log.js';
import { listSubjects, SUBJECTS_MAX } from '../../src/stream/subject-list.js';
import { silentListener } from '../storage/opened.js';
import { messageOf } from '../storage/random-operations.js';

const TIME = { timeMs: 1_700_000_000_000, timeNs: 0 };

it('come in pages, by name, and leave turns of the event loop to others', async () => {
  const log = new MemoryLog(silentListener);
  const names: string[] = [];
  const count = 2 * SUBJECTS_MAX + 500;
  for (let i = 0; i < count; i++) names.push(`s.${(i * 7919) % count}`);
  for (const name of names) log.append(messageOf(name, 'x'), TIME);
  log.append(messageOf('s.7', 'x'), TIME);
  log.append(messageOf('t', 'x'), TIME);
  let turns = 0;
  const ticking = setInterval(() => turns++, 0);
  const pages: Record<string, number>[] = [];
  for (const offset of [0, SUBJECTS_MAX, 2 * SUBJECTS_MAX]) {
    const { total, json } = await listSubjects({ log }, 's.*', offset);
    expect(total).toBe(count);
    pages.push(JSON.parse(json));
  }
  clearInterval(ticking);
  expect(turns).toBeGreaterThan(50);
  expect(pages.map((page) => Object.keys(page).length)).toEqual([SUBJECTS_MAX, SUBJECTS_MAX, 500]);
  expect(pages.flatMap((page) => Object.keys(page))).toEqual(names.sort());
  expect(pages.flatMap((page) => Object.entries(page)).filter(([, messages]) => messages !== 1)).toEqual([['s.7', 2]]);
  expect(await listSubjects({ log }, '>', count + 1)).toEqual({ total: count + 1, json: '' });
  expect(await listSubjects({ log }, 't', 0)).toEqual({ total: 1, json: '{"t":1}' });
}, 60_000);
