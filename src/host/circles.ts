import { Failure } from '../base/failure.js';
import { filterCovers } from '../subject/subject.js';
import type { AttachmentDeclaration } from './declarations.js';

/** Whether everything that one may emit to some subjects comes to the other. What only may come to it is bounded by the hops. */
function leadsTo(from: AttachmentDeclaration, to: AttachmentDeclaration): boolean {
  return (from.grants?.emit ?? []).some((filter) => filterCovers(to.subject, filter));
}

/** The names of attachments along which what this one emits comes back to it, or null. */
function circleOf(start: AttachmentDeclaration, others: readonly AttachmentDeclaration[]): string[] | null {
  const all = [start, ...others.filter(({ name }) => name !== start.name)];
  const seen = new Set<string>();
  const walk = (from: AttachmentDeclaration, trail: string[]): string[] | null => {
    for (const to of all) {
      if (!leadsTo(from, to)) continue;
      if (to === start) return [...trail, start.name];
      if (seen.has(to.name)) continue;
      seen.add(to.name);
      const circle = walk(to, [...trail, to.name]);
      if (circle !== null) return circle;
    }
    return null;
  };
  return walk(start, [start.name]);
}

/** Hops end what goes round; what can be seen to do so is hardly meant. Throws a `Failure` that names the way. */
export function refuseCircle(declaration: AttachmentDeclaration, others: () => readonly AttachmentDeclaration[]): void {
  if (declaration.force || (declaration.grants?.emit ?? []).length === 0) return;
  const circle = circleOf(declaration, others());
  if (circle === null) return;
  const way = circle.map((name) => JSON.stringify(name)).join(' → ');
  throw new Failure(
    'attachment-circle',
    `attachment ${JSON.stringify(declaration.name)}: what it emits comes back to it (${way}); emit to other subjects, or add "force": true: a message is emitted at most 4 times in a row`,
  );
}
