import * as v from 'valibot';
import { describe, Failure } from '../base/failure.js';
import { issueText } from '../base/issues.js';
import { checkAttachment } from './attachment-schema.js';
import { LEDGER_FORMAT, type LedgerContents, type ResolvedDeclaration } from './ledger-contents.js';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const version = v.strictObject({
  number: count,
  sha256: v.pipe(v.string(), v.hash(['sha256'])),
  bytes: count,
  installed_ms: count,
});
const resolved = { declaration: v.looseObject({ name: v.string() }), version: count };
const contents = v.strictObject({
  format: v.literal(LEDGER_FORMAT),
  plugins: v.array(
    v.strictObject({ name: v.string(), declared: v.boolean(), last_number: count, versions: v.array(version) }),
  ),
  attachments: v.array(v.strictObject({ ...resolved, previous: v.array(v.strictObject(resolved)) })),
  gone: v.optional(v.array(v.string()), []),
});

/** Reads what a ledger saved. Throws a `Failure` that names the place of a mistake. */
export function readLedger(text: string): LedgerContents {
  const refused = (why: string) => new Failure('plugin-store', `cannot use the stored list of plugins: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refused(`it is not JSON: ${describe(error)}`);
  }
  const result = v.safeParse(contents, value);
  if (!result.success) {
    const [issue] = result.issues;
    throw refused(issueText(issue, 'the file'));
  }
  const { plugins, attachments, gone } = result.output;
  return {
    plugins,
    attachments: attachments.map((record) => ({ ...checked(record), previous: record.previous.map(checked) })),
    gone,
  };
}

function checked({ declaration, version }: v.InferOutput<v.StrictObjectSchema<typeof resolved, undefined>>) {
  const { name, ...rest } = declaration;
  return { declaration: checkAttachment(name, rest).declaration, version } satisfies ResolvedDeclaration;
}
