import { isFilter } from '../subject/subject.js';
import type { PermissionRules, SubjectRules } from './permissions.js';

/** What the templates of a signing key may name. */
export interface TemplateNames {
  userName: string;
  userKey: string;
  userTags: readonly string[];
  accountName: string;
  accountKey: string;
  accountTags: readonly string[];
}

const MARK = /\{\{([^}]+)\}\}/g;
/** Subjects that one list may become by tags that are there several times. */
const SUBJECTS_MAX = 4096;

/**
 * Puts names into permissions such as `"team.{{tag(team)}}.>"`: a tag that is there several times makes several subjects. Null when the
 * template cannot be followed, or would forbid less than it should.
 */
export function fillTemplate(rules: PermissionRules, names: TemplateNames): PermissionRules | null {
  const publish = fillRules(rules.publish, names);
  const subscribe = fillRules(rules.subscribe, names);
  if (publish === null || subscribe === null) return null;
  return { ...rules, ...(publish && { publish }), ...(subscribe && { subscribe }) };
}

function fillRules(rules: SubjectRules | undefined, names: TemplateNames): SubjectRules | undefined | null {
  if (rules === undefined) return undefined;
  const allow = fillList(rules.allow ?? [], names, false);
  const deny = fillList(rules.deny ?? [], names, true);
  if (allow === null || deny === null) return null;
  // A list of which nothing is left allows nothing; an empty one would allow everything.
  const nothingLeft = allow.length === 0 && (rules.allow?.length ?? 0) > 0;
  return { allow, deny: nothingLeft ? [...deny, '>'] : deny };
}

/** `strict`: every subject must come out right; otherwise those that do not are left out. */
function fillList(list: readonly string[], names: TemplateNames, strict: boolean): string[] | null {
  const filled: string[] = [];
  for (const rule of list) {
    // White space within the marks is none between subject and queue.
    const [subject, queue] = rule
      .replace(MARK, (mark) => mark.replace(/\s+/g, ''))
      .trim()
      .split(/\s+/);
    const made = fillSubject(subject, names);
    if (made === null || (strict && (made.length === 0 || !made.every(isFilter)))) return null;
    filled.push(...made.filter(isFilter).map((one) => (queue === undefined ? one : `${one} ${queue}`)));
    if (filled.length > SUBJECTS_MAX) return null;
  }
  return filled;
}

function fillSubject(subject: string, names: TemplateNames): string[] | null {
  let made = [subject];
  for (const [mark, operation] of subject.matchAll(MARK)) {
    const values = valuesOf(operation, names);
    if (values === null || made.length * values.length > SUBJECTS_MAX) return null;
    made = made.flatMap((text) => values.map((value) => text.replace(mark, () => value)));
  }
  return made;
}

function valuesOf(operation: string, names: TemplateNames): string[] | null {
  const name = operation.toLowerCase();
  if (name === 'name()') return [names.userName];
  if (name === 'subject()') return [names.userKey];
  if (name === 'account-name()') return [names.accountName];
  if (name === 'account-subject()') return [names.accountKey];
  const [, whose, tag] = /^(tag|account-tag)\((.*)\)$/i.exec(operation) ?? [];
  if (tag === undefined) return null;
  const tags = whose.toLowerCase() === 'tag' ? names.userTags : names.accountTags;
  const prefix = `${tag.toLowerCase()}:`;
  return tags.filter((one) => one.startsWith(prefix)).map((one) => one.slice(prefix.length));
}
