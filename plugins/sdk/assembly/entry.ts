// The exports of the contract (docs/plugin-abi.md), around an author's `onMessage` and, if there is one, `onInit`.
import { beginInit, current, end, endInit, openFrame } from 'weir/contract';
import * as plugin from './assembly/index';

export function weir_abi(): i32 {
  return 1;
}

export function weir_open(inboxBytes: u32, outboxBytes: u32): usize {
  return openFrame(inboxBytes, outboxBytes);
}

export function weir_init(configBytes: u32): i32 {
  const config = beginInit(configBytes);
  // @ts-ignore: the author may have none
  if (isDefined(plugin.onInit)) plugin.onInit(config);
  return endInit();
}

export function weir_message(
  subject: usize,
  subjectBytes: u32,
  reply: usize,
  replyBytes: u32,
  headers: usize,
  headersBytes: u32,
  payload: usize,
  payloadBytes: u32,
  timestampMs: f64,
  _flags: u32,
): i32 {
  const message = current();
  message.subjectStart = subject;
  message.subjectBytes = subjectBytes;
  message.replyStart = reply;
  message.replyBytes = replyBytes;
  message.headersStart = headers;
  message.headersBytes = headersBytes;
  message.payloadStart = payload;
  message.payloadBytes = payloadBytes;
  message.timestamp = timestampMs;
  message.open();
  return end(plugin.onMessage(message));
}
