import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
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

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Says when the server goes and comes: until then nothing arrives, and what is published is missed. */
async function noteOutages(connection: NatsConnection): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect' && !connection.isClosed()) note(`lost ${status.server}; reconnecting`);
    else if (status.type === 'reconnect') note(`reconnected to ${status.server}`);
  }
}

/** Ends the subscription at Ctrl-C; what has arrived by then is still shown. Answers whether that happened. */
function endWhenInterrupted(subscription: Subscription): () => boolean {
  let interrupted = false;
  const stop = () => {
    interrupted = true;
    subscription.unsubscribe();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  return () => interrupted;
}

export async function subscribe(subject: string, options: SubscribeOptions): Promise<void> {
  checkFilter(subject);
  const connection = await openConnection(options, true);
  const errors = new ServerErrors(connection);
  const { queue, count } = options;
  const subscription = connection.subscribe(subject, { ...(queue && { queue }), ...(count && { max: count }) });
  const interrupted = endWhenInterrupted(subscription);
  try {
    await errors.settle();
    note(`subscribed to "${subject}"${queue ? ` in queue group "${queue}"` : ''}`);
    void noteOutages(connection);
    let index = 0;
    for await (const message of subscription) show(message, ++index, options);
    if (!interrupted() && index !== count) {
      const why = await Promise.race([connection.closed(), undefined]);
      throw new Failure('connection-closed', `the connection was closed${why ? `: ${why.message}` : ''}`);
    }
  } finally {
    await connection.close();
  }
}
