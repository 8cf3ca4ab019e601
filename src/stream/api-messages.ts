import { textOf } from '../base/bytes.js';
import type { LogState, StoredMessage } from '../storage/message-log.js';
import { apiError } from './api-error.js';
import { type ApiRequest, isEmpty, jsonOf, type Operation } from './api-request.js';
import { findMessage, isContradictory, messageGetShape } from './message-search.js';
import { flag, natural, object } from './shape.js';
import { timeText } from './time.js';

const deleteShape = object('MsgDeleteRequest', { seq: natural, no_erase: flag });

function get(request: ApiRequest): object {
  if (isEmpty(request)) throw apiError('badRequest');
  const wish = jsonOf(request, messageGetShape);
  if ((wish.batch ?? 0) > 0 || (wish.max_bytes ?? 0) > 0 || isContradictory(wish)) throw apiError('badRequest');
  const found = findMessage(request.streams.get(request.args[0]).log, wish);
  if (found === null) throw apiError('noMessageFound');
  return { message: messageJson(found, wish.no_hdr ?? false) };
}

function messageJson({ message, sequence, timeMs, timeNs }: StoredMessage, withoutHeaders: boolean): object {
  const { bytes, subjectStart, subjectEnd, headersStart, payloadStart, payloadEnd } = message;
  const base64 = (start: number, end: number) =>
    end > start ? Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('base64') : undefined;
  return {
    subject: textOf(bytes, subjectStart, subjectEnd),
    seq: sequence,
    hdrs: withoutHeaders ? undefined : base64(headersStart, payloadStart),
    data: base64(payloadStart, payloadEnd),
    time: timeText(timeMs, timeNs),
  };
}

async function remove(request: ApiRequest): Promise<object> {
  if (isEmpty(request)) throw apiError('badRequest');
  const { seq = 0, no_erase = false } = jsonOf(request, deleteShape);
  const { config, log } = request.streams.get(request.args[0]);
  if (config.sealed) throw apiError('streamSealed');
  if (config.deny_delete) throw apiError('streamMsgDeleteFailed', { err: 'message delete not permitted' });
  if (config.storage === 'file') checkWithin(seq, log.state);
  const removed = no_erase ? log.remove(seq) : await log.erase(seq);
  if (!removed) throw apiError('sequenceNotFound', { seq });
  return { success: true };
}

/** What was never there, or no longer, is told from what was removed: but not where messages are only in memory. */
function checkWithin(sequence: number, { firstSequence, lastSequence }: LogState): void {
  if (sequence > lastSequence) throw apiError('streamMsgDeleteFailed', { err: 'stream store EOF' });
  if (sequence < firstSequence) throw apiError('streamMsgDeleteFailed', { err: 'no message found' });
}

/** Operations on stored messages. */
export const MESSAGE_OPERATIONS: readonly Operation[] = [
  { name: 'STREAM.MSG.GET', args: [1, 1], type: 'stream_msg_get', handle: get },
  { name: 'STREAM.MSG.DELETE', args: [1, 1], type: 'stream_msg_delete', handle: remove },
];
