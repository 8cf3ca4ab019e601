import { createHash } from 'node:crypto';
import { textOf, utf8 } from '../base/bytes.js';
import { describe, Failure } from '../base/failure.js';
import { apiError } from './error-table.js';
import type { PluginHost } from './plugin-host.js';
import { snapshotOfAttachment, snapshotOfPlugin, snapshotOfVersion } from './snapshot.js';

export const API_PREFIX = '$WEIR.API.';

/** One request as it came from a client. */
export interface ApiRequest {
  subject: string;
  /** The raw header block as text; empty when there is none. */
  headers: string;
  payload: Uint8Array;
}

type Operation = (host: PluginHost, name: string, request: ApiRequest) => object | Promise<object>;

/** Operations by the words of their subject. Those with `named` have a further token: the plugin's or attachment's name. */
const OPERATIONS: Record<string, { named: boolean; run: Operation }> = {
  INFO: { named: false, run: info },
  'PLUGIN.INSTALL': { named: true, run: installPlugin },
  'PLUGIN.LIST': { named: false, run: listPlugins },
  'PLUGIN.INFO': { named: true, run: (host, name) => ({ plugin: snapshotOfPlugin(host, name) }) },
  'PLUGIN.DELETE': { named: true, run: deletePlugin },
  'ATTACHMENT.CREATE': { named: true, run: createAttachment },
  'ATTACHMENT.LIST': { named: false, run: listAttachments },
  'ATTACHMENT.INFO': { named: true, run: attachmentInfo },
  'ATTACHMENT.DELETE': { named: true, run: deleteAttachment },
};

/** The control API: requests on `$WEIR.API.>` to JSON answers in the style of `$JS.API`. Knows no broker. */
export class PluginApi {
  private readonly host: PluginHost;

  constructor(host: PluginHost) {
    this.host = host;
  }

  /** Never rejects: what goes wrong is an answer with `error`. */
  async handle(request: ApiRequest): Promise<Uint8Array> {
    const words = request.subject.slice(API_PREFIX.length).split('.');
    const operation = words.slice(0, 2).join('.');
    const type = `io.weir.api.v1.${operation.toLowerCase().replace('.', '_')}_response`;
    try {
      const found = Object.hasOwn(OPERATIONS, operation) ? OPERATIONS[operation] : undefined;
      if (found === undefined || words.length !== operation.split('.').length + (found.named ? 1 : 0)) {
        const known = Object.entries(OPERATIONS).map(
          ([name, { named }]) => API_PREFIX + name + (named ? '.<name>' : ''),
        );
        throw new Failure(
          'request-invalid',
          `there is no request ${JSON.stringify(request.subject)}; there are ${known.join(', ')}`,
        );
      }
      return answer({ type, ...(await found.run(this.host, words.at(-1)!, request)) });
    } catch (error) {
      const code = error instanceof Failure ? error.code : 'internal';
      return answer({ type, error: apiError(code, describe(error)) });
    }
  }
}

function answer(body: object): Uint8Array {
  return utf8(JSON.stringify(body));
}

function info(host: PluginHost): object {
  return { api_level: 1, plugins: host.registry.names().length, attachments: host.attachments.all().length };
}

async function installPlugin(host: PluginHost, name: string, { headers, payload }: ApiRequest): Promise<object> {
  const expected = /^Weir-Sha256:[ \t]*(\S*)/im.exec(headers)?.[1];
  if (expected !== undefined) checkDigest(expected, payload);
  return { plugin: name, ...snapshotOfVersion(await host.install(name, payload)) };
}

function checkDigest(expected: string, payload: Uint8Array): void {
  const found = createHash('sha256').update(payload).digest('hex');
  if (expected.toLowerCase() === found) return;
  throw new Failure(
    'digest-mismatch',
    `the header Weir-Sha256 says ${JSON.stringify(expected)}, the ${payload.length} bytes received have ${found}`,
  );
}

function listPlugins(host: PluginHost): object {
  const plugins = host.registry.names().map((name) => snapshotOfPlugin(host, name));
  return { total: plugins.length, plugins };
}

function deletePlugin(host: PluginHost, name: string): object {
  host.remove(name);
  return { success: true };
}

async function createAttachment(host: PluginHost, name: string, { payload }: ApiRequest): Promise<object> {
  const { readAttachment } = await import('./attachment-schema.js');
  const { declaration, replace } = readAttachment(name, textOf(payload));
  const attachment = host.put(await host.start(declaration, replace), replace);
  return { attachment: snapshotOfAttachment(attachment) };
}

function listAttachments(host: PluginHost): object {
  const attachments = host.attachments.all().map(snapshotOfAttachment);
  return { total: attachments.length, attachments };
}

function attachmentInfo(host: PluginHost, name: string): object {
  const attachment = host.attachments.get(name);
  if (attachment === undefined)
    throw new Failure('attachment-not-found', `there is no attachment ${JSON.stringify(name)}`);
  return { attachment: snapshotOfAttachment(attachment), definition: attachment.declaration };
}

function deleteAttachment(host: PluginHost, name: string): object {
  host.detach(name);
  return { success: true };
}
