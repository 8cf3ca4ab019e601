import { createHash } from 'node:crypto';
import { utf8 } from '../base/bytes.js';
import { describe, Failure } from '../base/failure.js';
import type { Attachment } from './attachment.js';
import { type AuditEntry, AuditedRequest } from './audit.js';
import { originalOf } from './dead-letter.js';
import { apiError } from './error-table.js';
import type { PluginHost } from './plugin-host.js';
import { snapshotOfAttachment, snapshotOfPlugin, snapshotOfVersion, snapshotsOfAttachments } from './snapshot.js';

export const API_PREFIX = '$WEIR.API.';
/** Dead letters that one request delivers again. */
const REDELIVERED_MAX = 1_000;
/** Of those in a stream, that are looked at in one turn of the event loop. */
const LETTERS_IN_A_TURN = 256;

/** One request as it came from a client. */
export interface ApiRequest {
  subject: string;
  /** The raw header block as text; empty when there is none. */
  headers: string;
  payload: Uint8Array;
  /** Told of a request that changed something, or was to. */
  onChange?(entry: AuditEntry): void;
}

type Operation = (host: PluginHost, name: string, request: ApiRequest) => object | Promise<object>;

/** Operations by the words of their subject. Those with `named` have a further token: the name of a plugin, an attachment or an upload. */
const OPERATIONS: Record<string, { named: string; run: Operation }> = {
  INFO: { named: '', run: info },
  'PLUGIN.INSTALL': { named: 'plugin', run: installPlugin },
  'PLUGIN.UPLOAD': { named: 'plugin', run: beginUpload },
  'PLUGIN.CHUNK': { named: 'upload', run: addChunk },
  'PLUGIN.COMMIT': { named: 'upload', run: commitUpload },
  'PLUGIN.ABORT': { named: 'upload', run: abortUpload },
  'PLUGIN.LIST': { named: '', run: listPlugins },
  'PLUGIN.INFO': { named: 'plugin', run: (host, name) => ({ plugin: snapshotOfPlugin(host, name) }) },
  'PLUGIN.DELETE': { named: 'plugin', run: deletePlugin },
  'PLUGIN.BACKTEST': { named: 'plugin', run: backtestPlugin },
  'ATTACHMENT.CREATE': { named: 'attachment', run: createAttachment },
  'ATTACHMENT.SWAP': { named: 'attachment', run: swapAttachment },
  'ATTACHMENT.ROLLBACK': { named: 'attachment', run: rollBackAttachment },
  'ATTACHMENT.CANARY': { named: 'attachment', run: canary },
  'ATTACHMENT.SHADOW': { named: 'attachment', run: shadow },
  'ATTACHMENT.BACKTEST': { named: 'attachment', run: backtestAttachment },
  'ATTACHMENT.STOP': { named: 'attachment', run: stopTrial },
  'ATTACHMENT.BUDGET': { named: 'attachment', run: setBudget },
  'ATTACHMENT.CAPSULE': { named: 'attachment', run: capsule },
  'ATTACHMENT.REDELIVER': { named: 'attachment', run: redeliver },
  'ATTACHMENT.LIST': { named: '', run: listAttachments },
  'ATTACHMENT.INFO': { named: 'attachment', run: attachmentInfo },
  'ATTACHMENT.DELETE': { named: 'attachment', run: deleteAttachment },
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
    let audited: AuditedRequest | null = null;
    try {
      const found = Object.hasOwn(OPERATIONS, operation) ? OPERATIONS[operation] : undefined;
      if (found === undefined || words.length !== operation.split('.').length + (found.named === '' ? 0 : 1)) {
        const known = Object.entries(OPERATIONS).map(
          ([name, { named }]) => API_PREFIX + name + (named === '' ? '' : `.<${named}>`),
        );
        throw new Failure(
          'request-invalid',
          `there is no request ${JSON.stringify(request.subject)}; there are ${known.join(', ')}`,
        );
      }
      audited = AuditedRequest.of(this.host, operation, words.at(-1)!);
      const body = await found.run(this.host, words.at(-1)!, request);
      if (audited !== null) request.onChange?.(audited.done(body));
      return answer({ type, ...body });
    } catch (error) {
      if (audited !== null) request.onChange?.(audited.refused(describe(error)));
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

async function deletePlugin(host: PluginHost, name: string): Promise<object> {
  await host.remove(name);
  return { success: true };
}

/** A module that is larger than a message may be: its size and digest first, then pieces, then the commit. */
async function beginUpload(host: PluginHost, name: string, { payload }: ApiRequest): Promise<object> {
  const { readUpload } = await import('./requests.js');
  const { bytes, sha256 } = readUpload(name, payload);
  return { upload: host.uploads.begin(name, bytes, sha256) };
}

function addChunk(host: PluginHost, id: string, { headers, payload }: ApiRequest): object {
  const offset = /^Weir-Offset:[ \t]*(\d{1,15})\s*$/im.exec(headers)?.[1];
  if (offset === undefined) {
    throw new Failure(
      'upload-piece',
      `upload ${JSON.stringify(id)}: expected a header Weir-Offset with the place of the piece`,
    );
  }
  return { received: host.uploads.add(id, Number(offset), payload) };
}

async function commitUpload(host: PluginHost, id: string): Promise<object> {
  const { plugin, wasm } = host.uploads.finish(id);
  return { plugin, ...snapshotOfVersion(await host.install(plugin, wasm)) };
}

function abortUpload(host: PluginHost, id: string): object {
  host.uploads.abort(id);
  return { success: true };
}

async function createAttachment(host: PluginHost, name: string, { payload }: ApiRequest): Promise<object> {
  const { readAttachment } = await import('./requests.js');
  const { declaration, replace } = readAttachment(name, payload);
  return answerOf(host, await host.deployments.create(declaration, replace));
}

async function swapAttachment(host: PluginHost, name: string, { payload }: ApiRequest): Promise<object> {
  const { readSwap } = await import('./requests.js');
  return answerOf(host, await host.deployments.swap(name, readSwap(name, payload)));
}

async function rollBackAttachment(host: PluginHost, name: string): Promise<object> {
  return answerOf(host, await host.deployments.rollback(name));
}

async function canary(host: PluginHost, name: string, { payload }: ApiRequest): Promise<object> {
  const { readTrial } = await import('./requests.js');
  return answerOf(host, await host.candidates.canary(name, readTrial(name, payload)));
}

async function shadow(host: PluginHost, name: string, { payload }: ApiRequest): Promise<object> {
  const { readTrial } = await import('./requests.js');
  return answerOf(host, await host.candidates.shadow(name, readTrial(name, payload)));
}

async function backtestPlugin(host: PluginHost, name: string, { payload }: ApiRequest): Promise<object> {
  const { readBacktest } = await import('./requests.js');
  return host.backtests.ofPlugin(name, readBacktest(`plugin ${JSON.stringify(name)}`, payload));
}

async function backtestAttachment(host: PluginHost, name: string, { payload }: ApiRequest): Promise<object> {
  const { readBacktest } = await import('./requests.js');
  return host.backtests.ofAttachment(name, readBacktest(`attachment ${JSON.stringify(name)}`, payload));
}

function stopTrial(host: PluginHost, name: string): object {
  return { trial: host.candidates.stop(name) };
}

async function setBudget(host: PluginHost, name: string, { payload }: ApiRequest): Promise<object> {
  const { readBudget } = await import('./requests.js');
  return answerOf(host, await host.deployments.setBudget(name, readBudget(name, payload)));
}

function answerOf(host: PluginHost, attachment: Attachment): object {
  return { attachment: snapshotOfAttachment(attachment, host.deployments.trackOf(attachment.name)) };
}

/** The last failing frames, each with what decided about it. */
function capsule(host: PluginHost, name: string): object {
  const { failures } = host.deployments.find(name);
  return { attachment: name, frames: failures.capsule() };
}

/** Publishes messages that became dead letters once more, as if they came now. */
async function redeliver(host: PluginHost, name: string, { payload }: ApiRequest): Promise<object> {
  const { readRedelivery } = await import('./requests.js');
  const { stream } = readRedelivery(name, payload);
  const { failures } = host.deployments.find(name);
  const { emits } = host;
  if (stream !== undefined) return redeliverFrom(host, name, stream);
  // What finds no room now stays for the next request.
  const redelivered = failures.take(
    REDELIVERED_MAX,
    (letter) => emits.hasRoomFor(letter),
    (letter) => emits.push(letter, false),
  );
  emits.wake();
  return { redelivered, left: failures.letterCount };
}

/** The same of those that a stream keeps: what was published again is removed from it. */
async function redeliverFrom({ backtests, emits }: PluginHost, name: string, stream: string): Promise<object> {
  const letters = await backtests.streams?.recorded(stream, { filter: `$WEIR.DEAD.${name}` });
  if (letters == null) throw new Failure('stream-not-found', `there is no stream ${JSON.stringify(stream)}`);
  let redelivered = 0;
  let left = 0;
  for (let found = letters.next(); found !== null; found = letters.next()) {
    const original = redelivered < REDELIVERED_MAX ? originalOf(found.message) : null;
    if (original !== null && emits.hasRoomFor(original) && letters.remove(found.sequence)) {
      emits.push(original, false);
      redelivered++;
    } else left++;
    // There may be many of them.
    if ((redelivered + left) % LETTERS_IN_A_TURN === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      await letters.warm();
    }
  }
  emits.wake();
  return { redelivered, left };
}

function listAttachments(host: PluginHost): object {
  const attachments = snapshotsOfAttachments(host);
  return { total: attachments.length, attachments };
}

function attachmentInfo(host: PluginHost, name: string): object {
  const attachment = host.deployments.find(name);
  return { ...answerOf(host, attachment), definition: attachment.declaration };
}

async function deleteAttachment(host: PluginHost, name: string): Promise<object> {
  await host.deployments.detach(name);
  return { success: true };
}
