import { isLiteralSubject } from '../subject/subject.js';
import { apiError } from './api-error.js';
import { type ApiRequest, isEmpty, jsonOf, type Operation } from './api-request.js';
import { RestoreReceiver } from './restore.js';
import { flag, object, type Shape, text, whole } from './shape.js';
import { SnapshotSender } from './snapshot.js';
import type { Stream } from './stream.js';
import { inOrder, streamFields } from './stream-config.js';
import { streamState } from './stream-info.js';

const KIB = 1024;
const CHUNK_BYTES = 128 * KIB;
const WINDOW_BYTES = 8 * KIB * KIB;

const snapshotShape = object('StreamSnapshotRequest', {
  deliver_subject: text,
  no_consumers: flag,
  chunk_size: whole,
  window_size: whole,
  jsck: flag,
});

const anything: Shape<unknown> = (value) => value;
const restoreShape = object('StreamRestoreRequest', { config: object('StreamConfig', streamFields), state: anything });

function snapshot(request: ApiRequest): object {
  if (isEmpty(request)) throw apiError('badRequest');
  const stream = request.streams.get(request.args[0]);
  const { deliver_subject = '', no_consumers = false, chunk_size, window_size } = jsonOf(request, snapshotShape);
  if (!isLiteralSubject(deliver_subject)) throw apiError('snapshotDeliverSubjectInvalid');
  const chunkBytes = within(chunk_size || CHUNK_BYTES, KIB * KIB);
  const windowBytes = Math.max(chunkBytes, within(window_size || WINDOW_BYTES, 32 * KIB * KIB));
  const sender = new SnapshotSender(stream, {
    deliverSubject: deliver_subject,
    withConsumers: !no_consumers,
    chunkBytes,
    windowBytes,
  });
  const state = streamState(stream);
  // The answer goes out first.
  setImmediate(() => void send(stream, sender, state));
  return { config: inOrder(stream.config), state };
}

async function send({ name, surroundings, nowMs }: Stream, sender: SnapshotSender, state: object): Promise<void> {
  const start = new Date(nowMs).toISOString();
  surroundings.advise(`STREAM.SNAPSHOT_CREATE.${name}`, 'snapshot_create', { stream: name, state });
  const problem = await sender.send();
  const end = new Date(surroundings.clock.nowMs()).toISOString();
  const error = problem === null ? {} : { error: problem };
  surroundings.advise(`STREAM.SNAPSHOT_COMPLETE.${name}`, 'snapshot_complete', { stream: name, start, end, ...error });
}

function within(bytes: number, most: number): number {
  return Math.min(most, Math.max(KIB, bytes));
}

function restore(request: ApiRequest): object {
  if (isEmpty(request)) throw apiError('badRequest');
  const { config = {} } = jsonOf(request, restoreShape);
  const [name] = request.args;
  if (config.name !== undefined && config.name !== '' && config.name !== name) throw apiError('streamMismatch');
  if (request.streams.find(name) !== undefined) throw apiError('streamNameExistRestoreFailed');
  const receiver = new RestoreReceiver(request.streams, { ...config, name });
  request.streams.advise(`STREAM.RESTORE_CREATE.${name}`, 'restore_create', { stream: name });
  return { deliver_subject: receiver.deliverSubject };
}

/** Backups of streams. */
export const SNAPSHOT_OPERATIONS: readonly Operation[] = [
  { name: 'STREAM.SNAPSHOT', args: [1, 1], type: 'stream_snapshot', handle: snapshot },
  { name: 'STREAM.RESTORE', args: [1, 1], type: 'stream_restore', handle: restore },
];
