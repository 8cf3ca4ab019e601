import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attachment } from '../../src/host/attachment.js';
import { AttachmentSet } from '../../src/host/attachment-set.js';
import { Chain } from '../../src/host/chain.js';
import { filters, matchesByExpression, subjects } from '../kit/subject-arbitraries.js';

/** What the set looks at, and no more. */
function attachment(name: string, subject: string, order = 0): Attachment {
  return {
    name,
    stage: 'publish',
    canary: null,
    phase: 'transform',
    order,
    declaration: { subject },
  } as unknown as Attachment;
}

function newSet(): AttachmentSet {
  return new AttachmentSet((matching) => new Chain(matching, null as never, null as never));
}

function namesFor(set: AttachmentSet, subject: string): string[] {
  const bytes = Buffer.from(`>>${subject}<<`);
  return set.chainFor(bytes, 2, bytes.length - 2)?.attachments.map(({ name }) => name) ?? [];
}

describe('the attachments of a subject', () => {
  it('are those whose filter matches, in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(filters, fc.integer({ min: 0, max: 3 })), { maxLength: 12 }),
        subjects,
        (all, subject) => {
          const set = newSet();
          const attached = all.map(([filter, order], i) => attachment(`a${String(i).padStart(2, '0')}`, filter, order));
          for (const each of attached) set.put(each);
          const expected = attached
            .filter((each) => matchesByExpression(each.declaration.subject, subject))
            .sort((one, other) => one.order - other.order || (one.name < other.name ? -1 : 1));
          expect(namesFor(set, subject)).toEqual(expected.map(({ name }) => name));
        },
      ),
    );
  });

  it('are one chain for all subjects that have the same', () => {
    const set = newSet();
    set.put(attachment('all', 'a.>'));
    set.put(attachment('one', 'a.b.*'));
    const chain = (subject: string) => set.chainFor(Buffer.from(subject), 0, subject.length);
    expect(chain('a.b.c')).toBe(chain('a.b.d'));
    expect(chain('a.b.c')).not.toBe(chain('a.c'));
    expect(chain('b')).toBeNull();
  });

  it('change at once', () => {
    const set = newSet();
    let changes = 0;
    set.onChange(() => changes++);
    set.put(attachment('all', '>'));
    expect(namesFor(set, 'a')).toEqual(['all']);
    expect(namesFor(set, '$WEIR.API.X')).toEqual([]);
    expect(namesFor(set, '$SYS.X')).toEqual([]);
    expect(namesFor(set, '$SYSTEM')).toEqual(['all']);
    set.put(attachment('all', 'b'));
    expect(namesFor(set, 'a')).toEqual([]);
    expect(namesFor(set, 'b')).toEqual(['all']);
    set.setEnabled(false);
    expect(namesFor(set, 'b')).toEqual([]);
    set.setEnabled(true);
    expect(set.delete('all')).toBe(true);
    expect(set.delete('all')).toBe(false);
    expect(namesFor(set, 'b')).toEqual([]);
    expect(changes).toBe(5);
  });
});
