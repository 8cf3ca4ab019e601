import type { Msg, Subscription } from '@nats-io/transport-node';
import { Failure } from '../base/failure.js';
import { type ConnectionOptions, openConnection, ServerErrors } from './connection.js';
import { checkFilter, headerLines, messageJson } from './payload.js';
import { printLine } from './print.js';

export interface SubscribeOptions extends ConnectionOptions {
  queue?: string;
  count?: number;
  raw?: boolean;
  headers?: boolean;
  json?: boolean;
}

function show(message: Msg, index: number, options: SubscribeOptions): void {
  if (options.json) {
    printLine(JSON.stringify(messageJson(message)));
    return;
  }
  if (!options.raw) printLine(`[#${index}] ${message.subject}${message.reply ? ` (reply to ${message.reply})` : ''}`);
  if (options.headers) for (const line of headerLines(message)) printLine(line);
  process.stdout.write(message.data);
  printLine(options.raw ? '' : '\n');
}

/** Stops the subscription at Ctrl-C; what has arrived by then is still shown. */
function untilInterrupted(subscription: Subscription): () => void {
  const stop = () => subscription.unsubscribe();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  return () => {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  };
}

export async function subscribe(subject: string, options: SubscribeOptions): Promise<void> {
  checkFilter(subject);
  const connection = await openConnection(options, true);
  const errors = new ServerErrors(connection);
  const { queue, count } = options;
  const subscription = connection.subscribe(subject, { ...(queue && { queue }), ...(count && { max: count }) });
  const done = untilInterrupted(subscription);
  try {
    await errors.settle();
    process.stderr.write(`subscribed to "${subject}"${queue ? ` in queue group "${queue}"` : ''}\n`);
    let index = 0;
    for await (const message of subscription) show(message, ++index, options);
    const closed = connection.isClosed() ? await connection.closed() : undefined;
    if (closed instanceof Error) throw new Failure('connection-closed', `the connection was closed: ${closed.message}`);
  } finally {
    done();
    await connection.close();
  }
}
