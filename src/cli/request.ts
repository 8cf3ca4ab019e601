import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { Failure } from '../base/failure.js';
import { type ConnectionOptions, isNoResponders, ServerErrors, withOpenConnection } from './connection.js';
import { checkSubject, headerLines, messageJson, parseHeaders, readPayload } from './payload.js';
import { printLine } from './print.js';

export interface RequestOptions extends ConnectionOptions {
  header: string[];
  timeout: number;
  headers?: boolean;
  raw?: boolean;
  json?: boolean;
}

function requestFailure(subject: string, error: Error, timeoutMs: number): Error {
  if (isNoResponders(error)) {
    return new Failure('no-responders', `no responders: nobody is subscribed to "${subject}"`, { cause: error });
  }
  if (error.name !== 'TimeoutError') return error;
  return new Failure('timeout', `no reply on "${subject}" within ${timeoutMs} ms`, { cause: error });
}

async function ask(
  connection: NatsConnection,
  subject: string,
  payload: Uint8Array,
  options: RequestOptions,
): Promise<Msg> {
  const errors = new ServerErrors(connection);
  const headers = await parseHeaders(options.header);
  try {
    return await connection.request(subject, payload, { timeout: options.timeout, ...(headers && { headers }) });
  } catch (error) {
    throw errors.first ?? requestFailure(subject, error as Error, options.timeout);
  }
}

/** Sends a request and prints its reply. A reply with an error status (a plugin rejected the request) is a failure. */
export async function request(subject: string, payload: string | undefined, options: RequestOptions): Promise<void> {
  checkSubject(subject);
  const bytes = await readPayload(payload);
  await withOpenConnection(options, async (connection) => {
    const reply = await ask(connection, subject, bytes, options);
    const status = reply.headers?.code ?? 0;
    if (options.json) printLine(JSON.stringify(messageJson(reply)));
    else {
      if (options.headers) for (const line of headerLines(reply)) printLine(line);
      if (reply.data.length > 0) process.stdout.write(reply.data);
      if (reply.data.length > 0 || (status < 400 && !options.raw)) printLine();
    }
    if (status >= 400) {
      throw new Failure(
        'rejected',
        `"${subject}" was rejected: ${status} ${reply.headers?.description ?? ''}`.trimEnd(),
      );
    }
  });
}
