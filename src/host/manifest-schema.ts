import * as v from 'valibot';
import { describe, Failure } from '../base/failure.js';
import { issueText } from '../base/issues.js';
import { parseJson } from '../base/json.js';
import { budgetSchema } from './attachment-schema.js';
import { checkSchema } from './config-schema.js';
import { GRANT_KINDS, type Manifest } from './manifest-contents.js';

const part = v.optional(v.string());

const selfTest = v.strictObject({
  name: v.string(),
  config: v.optional(v.unknown()),
  message: v.strictObject({ subject: v.string(), reply: part, headers: part, payload: part }),
  expect: v.strictObject({
    verdict: v.picklist(['pass', 'drop', 'replace', 'reject', 'error']),
    ...{ subject: part, reply: part, headers: part, payload: part, error: part },
    code: v.optional(v.number()),
  }),
});

const bytes = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(64 * 1024 * 1024));

const interval = v.pipe(v.number(), v.integer(), v.minValue(10), v.maxValue(86_400_000));

const manifest = v.strictObject({
  name: v.optional(v.string()),
  version: v.optional(v.pipe(v.string(), v.maxLength(100))),
  description: v.optional(v.pipe(v.string(), v.maxLength(1000))),
  needs: v.optional(
    v.strictObject({
      payload: v.optional(v.union([v.picklist(['full', 'none']), bytes]), 'full'),
      headers: v.optional(v.boolean(), true),
      tick_ms: v.optional(v.union([v.literal(0), interval]), 0),
    }),
    {},
  ),
  grants: v.optional(v.array(v.picklist(GRANT_KINDS)), []),
  budget: v.optional(budgetSchema, {}),
  config: v.optional(v.nullable(v.record(v.string(), v.unknown())), null),
  self_tests: v.optional(v.pipe(v.array(selfTest), v.maxLength(64)), []),
});

/** Reads the text of a manifest. Throws a `Failure` that names the place of a mistake. */
export function parseManifest(text: string): Manifest {
  const refused = (why: string) => new Failure('module-manifest', `the module's manifest cannot be used: ${why}`);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw refused(`it is not JSON: ${describe(error)}`);
  }
  const result = v.safeParse(manifest, value);
  if (!result.success) {
    const [issue] = result.issues;
    throw refused(issueText(issue, 'all of it'));
  }
  if (result.output.config !== null) checkSchema(result.output.config, 'config');
  return result.output as Manifest;
}
