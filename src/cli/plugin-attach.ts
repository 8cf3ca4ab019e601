import { Failure } from '../base/failure.js';
import type { AttachmentDeclaration } from '../host/declarations.js';
import type { AttachmentSnapshot } from '../host/snapshot.js';
import { callApi } from './api-client.js';
import { type ConnectionOptions, withOpenConnection } from './connection.js';
import { parseJsonArgument } from './payload.js';
import { checkTypedName } from './plugin-name.js';
import { printJson, printLine } from './print.js';
import { UsageFailure } from './usage-failure.js';

export interface AttachOptions extends ConnectionOptions {
  name?: string;
  stage?: string;
  forSubscription?: string;
  forQueue?: string;
  forUser?: string;
  forStream?: string;
  forConsumer?: string;
  phase?: string;
  order?: number;
  config?: string;
  fuel?: number;
  memory?: number;
  output?: number;
  tier?: string;
  metering?: string;
  watchdog?: number;
  emits?: number;
  grantEmit: string[];
  grantLog?: boolean;
  grantMetric?: boolean;
  grantState?: boolean;
  table?: string;
  tableBucket?: string;
  tableKeys?: string;
  tick?: number;
  /** `<action>` for all causes, or `<cause>=<action>`. */
  onFault: string[];
  force?: boolean;
  replace?: boolean;
  json?: boolean;
}

/** Drops what is undefined, so that the server's own defaults hold. */
function given<T extends object>(values: T): T | undefined {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as T);
}

/** `name` or `name@version`. */
export function parsePlugin(text: string): { plugin: string; version: number | undefined } {
  const [plugin = '', version] = text.split('@');
  if (version === undefined) return { plugin, version: undefined };
  if (/^[1-9]\d*$/.test(version)) return { plugin, version: Number(version) };
  throw new UsageFailure(
    'plugin-version',
    `invalid plugin "${text}": expected a name or name@version, such as threshold@2`,
  );
}

function parseFaultActions(texts: readonly string[]): Record<string, string> | undefined {
  const pairs = texts.map((text) => (text.includes('=') ? text.split('=', 2) : ['default', text]));
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}

/** The definition that `$WEIR.API.ATTACHMENT.CREATE` takes; the server checks it. */
export function attachmentDefinition(plugin: string, subject: string, options: AttachOptions): object {
  return given({
    ...parsePlugin(plugin),
    subject,
    stage: options.stage,
    receivers: given({
      ...{ subscription: options.forSubscription, queue: options.forQueue, user: options.forUser },
      ...{ stream: options.forStream, consumer: options.forConsumer },
    }),
    phase: options.phase,
    order: options.order,
    tick_ms: options.tick,
    tier: options.tier,
    metering: options.metering,
    config: options.config === undefined ? undefined : parseJsonArgument('--config', options.config),
    budget: given({
      ...{ fuel_per_message: options.fuel, memory_bytes: options.memory },
      ...{ output_bytes: options.output, emits_per_message: options.emits, watchdog_ms: options.watchdog },
    }),
    grants: given({
      emit: options.grantEmit.length > 0 ? options.grantEmit : undefined,
      log: options.grantLog,
      metric: options.grantMetric,
      state: options.grantState,
      // Whoever names a table means it to be used.
      table: options.table === undefined && options.tableBucket === undefined ? undefined : true,
    }),
    table: given({
      entries: options.table === undefined ? undefined : parseJsonArgument('--table', options.table),
      bucket: options.tableBucket,
      keys: options.tableKeys,
    }),
    failure: parseFaultActions(options.onFault),
    force: options.force,
    replace: options.replace,
  })!;
}

/** The API advises fields of the definition; here they are options. */
function inOptions(error: unknown): unknown {
  if (!(error instanceof Failure)) return error;
  return new Failure(error.code, error.message.replace(/"(replace|force)": true/, '--$1'), { cause: error });
}

export async function attach(plugin: string, subject: string, options: AttachOptions): Promise<void> {
  const definition = attachmentDefinition(plugin, subject, options);
  const name = options.name ?? parsePlugin(plugin).plugin;
  checkTypedName('attachment', name);
  const { attachment } = await withOpenConnection(options, (connection) =>
    callApi<{ attachment: AttachmentSnapshot }>(connection, `ATTACHMENT.CREATE.${name}`, JSON.stringify(definition)),
  ).catch((error: unknown) => {
    throw inOptions(error);
  });
  if (options.json) printJson(attachment);
  else printLine(`attached ${attachment.plugin} version ${attachment.version} to "${attachment.subject}" as ${name}`);
}

export async function detach(name: string, options: ConnectionOptions & { json?: boolean }): Promise<void> {
  checkTypedName('attachment', name);
  await withOpenConnection(options, (connection) => callApi(connection, `ATTACHMENT.DELETE.${name}`));
  if (options.json) printJson({ detached: name });
  else printLine(`detached ${name}`);
}

/** What `attachmentInfo` answers. */
export interface AttachmentInfo {
  attachment: AttachmentSnapshot;
  definition: AttachmentDeclaration;
}
