import type { NatsConnection } from '@nats-io/transport-node';
import { Failure } from '../base/failure.js';
import type { AttachmentSnapshot, PluginSnapshot } from '../host/snapshot.js';
import { callApi } from './api-client.js';
import { type ConnectionOptions, withOpenConnection } from './connection.js';
import type { AttachmentInfo } from './plugin-attach.js';
import { checkTypedName } from './plugin-name.js';
import { formatTable, microseconds, printJson, printLine, right } from './print.js';

export type ListOptions = ConnectionOptions & { json?: boolean };

async function listPlugins(connection: NatsConnection): Promise<PluginSnapshot[]> {
  return (await callApi<{ plugins: PluginSnapshot[] }>(connection, 'PLUGIN.LIST')).plugins;
}

export async function listAttachments(connection: NatsConnection): Promise<AttachmentSnapshot[]> {
  return (await callApi<{ attachments: AttachmentSnapshot[] }>(connection, 'ATTACHMENT.LIST')).attachments;
}

function faultCount({ counters }: AttachmentSnapshot): number {
  return Object.values(counters.faults).reduce((sum, count) => sum + count, 0);
}

function pluginTable(plugins: readonly PluginSnapshot[]): string {
  if (plugins.length === 0) return 'no plugins installed';
  const rows = plugins.flatMap(({ name, versions }) =>
    versions.map((version) => [name, version.version, version.bytes, version.sha256.slice(0, 12), version.installed]),
  );
  return formatTable(['PLUGIN', ...right('VERSION', 'BYTES'), 'SHA256', 'INSTALLED'], rows);
}

function stateOf({ damage, quarantined }: AttachmentSnapshot): string {
  if (damage !== null) return 'damaged';
  return quarantined ? 'quarantined' : 'active';
}

function attachmentTable(attachments: readonly AttachmentSnapshot[]): string {
  if (attachments.length === 0) return 'no attachments';
  const rows = attachments.map((attachment) => {
    const { counters } = attachment;
    return [
      attachment.name,
      `${attachment.plugin}@${attachment.version}`,
      attachment.subject,
      `${attachment.phase} ${attachment.order}`,
      stateOf(attachment),
      counters.calls,
      counters.dropped,
      counters.replaced,
      counters.rejected,
      faultCount(attachment),
      attachment.fuel_per_call ?? '-',
      microseconds(attachment.ns_per_call),
    ];
  });
  const counts = right('CALLS', 'DROPPED', 'REPLACED', 'REJECTED', 'FAULTS', 'FUEL/CALL', 'µs/CALL');
  return formatTable(['ATTACHMENT', 'PLUGIN', 'SUBJECT', 'PHASE', 'STATE', ...counts], rows);
}

export async function list(options: ListOptions): Promise<void> {
  const [plugins, attachments] = await withOpenConnection(options, (connection) =>
    Promise.all([listPlugins(connection), listAttachments(connection)]),
  );
  if (options.json) printJson({ plugins, attachments });
  else printLine(`${pluginTable(plugins)}\n\n${attachmentTable(attachments)}`);
}

/** Everything about a plugin and its attachments; a name that is no plugin may be an attachment. */
async function lookUp(connection: NatsConnection, name: string): Promise<[PluginSnapshot[], AttachmentInfo[]]> {
  const plugins = (await listPlugins(connection)).filter((plugin) => plugin.name === name);
  const attachments = (await listAttachments(connection)).filter(
    (found) => found.name === name || found.plugin === name,
  );
  const infos = attachments.map((found) => callApi<AttachmentInfo>(connection, `ATTACHMENT.INFO.${found.name}`));
  return [plugins, await Promise.all(infos)];
}

export async function info(name: string, options: ListOptions): Promise<void> {
  const [plugins, infos] = await withOpenConnection(options, (connection) => lookUp(connection, name));
  if (plugins.length + infos.length === 0) {
    throw new Failure('not-found', `there is no plugin and no attachment "${name}"; see: weir plugin ls`);
  }
  const attachments = infos.map(({ attachment, definition }) => ({ ...attachment, definition }));
  if (options.json) {
    printJson({ plugins, attachments });
    return;
  }
  if (plugins.length > 0) printLine(`${pluginTable(plugins)}\n`);
  printLine(attachmentTable(attachments));
  for (const { name: attachment, definition, last_fault: fault, damage } of attachments) {
    printLine(`\n${attachment}: ${JSON.stringify(definition)}`);
    if (damage !== null) printLine(`damaged: ${damage}`);
    if (fault !== null) printLine(`last fault (${fault.cause}): ${fault.text}`);
  }
}

export async function remove(name: string, options: ListOptions): Promise<void> {
  checkTypedName('plugin', name);
  await withOpenConnection(options, (connection) => callApi(connection, `PLUGIN.DELETE.${name}`));
  if (options.json) printJson({ removed: name });
  else printLine(`removed ${name}`);
}
