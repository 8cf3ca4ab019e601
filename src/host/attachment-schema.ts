import * as v from 'valibot';
import { Failure } from '../base/failure.js';
import { issueText } from '../base/issues.js';
import { FAULT_CAUSES } from '../sandbox/fault.js';
import { isFilter } from '../subject/subject.js';
import { type AttachmentDeclaration, FAILURE_ACTIONS, PHASES, STAGES, TIERS } from './declarations.js';

const whole = (min: number, max: number) => v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));

/** Budgets, of an attachment or as a manifest asks for them. */
export const budgetSchema = v.strictObject({
  fuel_per_message: v.optional(whole(1_000, 1_000_000_000)),
  fuel_for_init: v.optional(whole(1_000, 200_000_000)),
  memory_bytes: v.optional(whole(65536, 256 * 1024 * 1024)),
  output_bytes: v.optional(whole(0, 64 * 1024 * 1024)),
  watchdog_ms: v.optional(whole(1, 60_000)),
  emits_per_message: v.optional(whole(0, 1_000)),
  messages_per_second: v.optional(whole(1, 1e9)),
  bytes_per_second: v.optional(whole(1, 1e12)),
  cpu_share: v.optional(v.pipe(v.number(), v.minValue(0.001), v.maxValue(1))),
  table_entries: v.optional(whole(1, 100_000)),
  table_bytes: v.optional(whole(1, 16 * 1024 * 1024)),
});

const table = v.strictObject({
  // Not a record: that would leave out keys such as "constructor".
  entries: v.optional(v.custom<Record<string, unknown>>(isEntries, 'expected an object, of keys that are not empty')),
  file: v.optional(v.string()),
  bucket: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]+$/))),
  keys: v.optional(v.pipe(v.string(), v.check(isFilter, 'expected a filter of keys such as "devices.>"'))),
});

const attachment = v.strictObject({
  plugin: v.string(),
  version: v.optional(whole(1, 2 ** 31)),
  subject: v.string(),
  stage: v.optional(v.picklist(STAGES)),
  receivers: v.optional(
    v.strictObject({
      subscription: v.optional(v.string()),
      queue: v.optional(v.string()),
      user: v.optional(v.string()),
      stream: v.optional(v.string()),
      consumer: v.optional(v.string()),
    }),
  ),
  phase: v.optional(v.picklist(PHASES)),
  order: v.optional(v.number()),
  tick_ms: v.optional(whole(10, 86_400_000)),
  tier: v.optional(v.picklist(TIERS)),
  metering: v.optional(v.picklist(['on', 'off'])),
  config: v.optional(v.unknown()),
  table: v.optional(table),
  budget: v.optional(budgetSchema),
  grants: v.optional(
    v.strictObject({
      emit: v.optional(v.array(v.string())),
      log: v.optional(v.boolean()),
      metric: v.optional(v.boolean()),
      state: v.optional(v.boolean()),
      table: v.optional(v.boolean()),
    }),
  ),
  failure: v.optional(v.record(v.picklist([...FAULT_CAUSES, 'default'] as const), v.picklist(FAILURE_ACTIONS))),
  force: v.optional(v.boolean()),
  replace: v.optional(v.boolean()),
});

function isEntries(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Object.hasOwn(value, '');
}

const CONFIG_BYTES_MAX = 64 * 1024;

/** Checks one attachment as an operator wrote it. Throws a `Failure` that names the field, what was found and what was expected. */
export function checkAttachment(
  name: string,
  value: unknown,
): { declaration: AttachmentDeclaration; replace: boolean } {
  const result = v.safeParse(attachment, value);
  if (!result.success) {
    const texts = result.issues.map((issue) => issueText(issue, 'the definition'));
    throw new Failure('request-invalid', `attachment ${JSON.stringify(name)}: ${texts.join('; ')}`);
  }
  const { replace = false, ...rest } = result.output;
  const configBytes = Buffer.byteLength(JSON.stringify(rest.config ?? {}));
  if (configBytes > CONFIG_BYTES_MAX) {
    throw new Failure(
      'request-invalid',
      `attachment ${JSON.stringify(name)}: config has ${configBytes} bytes; at most ${CONFIG_BYTES_MAX} are allowed`,
    );
  }
  return { declaration: { name, ...rest } as AttachmentDeclaration, replace };
}
