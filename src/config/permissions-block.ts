import type { PermissionRules, ResponseRules, SubjectRules } from '../auth/permissions.js';
import { isFilter } from '../subject/subject.js';
import type { ConfigValue } from './grammar.js';
import { keys, readBlock } from './key-table.js';
import { configError } from './place.js';
import { durationMs, map, parseDuration, texts, whole } from './values.js';

const RESPONSES: ResponseRules = { max: 1, expiresMs: 120_000 };

function filters(value: ConfigValue, key: string): string[] {
  const list = texts(value, key);
  for (const item of list) {
    if (!isFilter(item.trim().split(/\s+/)[0]))
      throw configError(value.place, `subject ${JSON.stringify(item)} is not a valid subject`);
  }
  return list;
}

const subjectTable = keys<SubjectRules>({
  allow: (rules, value, key) => {
    rules.allow = filters(value, key);
  },
  deny: (rules, value, key) => {
    rules.deny = filters(value, key);
  },
});

/** A subject, a list of subjects, or `{ allow, deny }`. */
function subjectRules(value: ConfigValue, key: string): SubjectRules {
  return value.kind === 'map' ? readBlock(value, subjectTable, {} as SubjectRules) : { allow: filters(value, key) };
}

const responseTable = keys<ResponseRules>({
  'max|max_msgs|max_messages|max_responses': (rules, value, key) => {
    rules.max = whole(-1, 2 ** 31)(value, key) || RESPONSES.max;
  },
  'expires|expiration|ttl': (rules, value, key) => {
    const text = value.kind === 'string' ? parseDuration(String(value.value)) : null;
    rules.expiresMs = (text ?? durationMs(value, key)) || RESPONSES.expiresMs;
  },
});

const permissionTable = keys<PermissionRules>({
  'pub|publish|import': (rules, value, key) => {
    rules.publish = subjectRules(value, key);
  },
  'sub|subscribe|export': (rules, value, key) => {
    rules.subscribe = subjectRules(value, key);
  },
  'publish_allow_responses|allow_responses': (rules, value) => {
    if (value.kind === 'boolean') {
      if (value.value === true) rules.responses = { ...RESPONSES };
    } else rules.responses = readBlock(map(value, 'allow_responses'), responseTable, { ...RESPONSES });
  },
});

/** Reads `permissions { … }`. */
export function permissions(value: ConfigValue, key: string): PermissionRules {
  return readBlock(map(value, key), permissionTable, {} as PermissionRules);
}
