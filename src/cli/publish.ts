import { type ConnectionOptions, ServerErrors, withOpenConnection } from './connection.js';
import { checkSubject, parseHeaders, readPayload } from './payload.js';
import { printJson, printLine } from './print.js';
import { UsageFailure } from './usage-failure.js';

export interface PublishOptions extends ConnectionOptions {
  header: string[];
  count: number;
  reply?: string;
  /** Every line of stdin is a message. */
  lines?: boolean;
  json?: boolean;
}

/** Messages that may wait in memory before the next round trip to the server. */
const batchMessages = 1_000;

async function* messages(payload: string | undefined, options: PublishOptions): AsyncGenerator<Uint8Array | string> {
  if (options.lines) {
    const { createInterface } = await import('node:readline');
    yield* createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
    return;
  }
  const bytes = await readPayload(payload);
  for (let i = 0; i < options.count; i++) yield bytes;
}

export async function publish(subject: string, payload: string | undefined, options: PublishOptions): Promise<void> {
  checkSubject(subject);
  if (options.lines && (payload ?? '-') !== '-') {
    throw new UsageFailure('lines', `--lines takes messages from stdin: expected no payload, found "${payload}"`);
  }
  const headers = await parseHeaders(options.header);
  await withOpenConnection(options, async (connection) => {
    const errors = new ServerErrors(connection);
    const settings = { ...(headers && { headers }), ...(options.reply !== undefined && { reply: options.reply }) };
    let published = 0;
    let bytes = 0;
    for await (const message of messages(payload, options)) {
      connection.publish(subject, message, settings);
      published++;
      bytes += Buffer.byteLength(message);
      if (published % batchMessages === 0) await errors.settle();
    }
    await errors.settle();
    if (options.json) printJson({ subject, messages: published, bytes });
    else
      printLine(`published ${published} ${published === 1 ? 'message' : 'messages'}, ${bytes} bytes, to "${subject}"`);
  });
}
