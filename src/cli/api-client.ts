import type { NatsConnection } from '@nats-io/transport-node';
import { Failure } from '../base/failure.js';
import { isNoResponders } from './connection.js';

/** Compiling a large module takes seconds. */
const timeoutMs = 30_000;

interface ErrorAnswer {
  error?: { code: number; err_code: number; description: string };
}

function requestFailure(error: Error, connection: NatsConnection): Error {
  if (isNoResponders(error)) {
    return new Failure(
      'no-plugin-api',
      `the server at ${connection.getServer()} has no plugin API: expected Weir with plugins enabled`,
      { cause: error },
    );
  }
  if (error.name !== 'TimeoutError') return error;
  return new Failure('timeout', `the plugin API did not answer within ${timeoutMs / 1000} s`, { cause: error });
}

/**
 * One request to the control API, `operation` being what follows `$WEIR.API.`. Answers its JSON; an error of the API is a
 * Failure `api-<err_code>` with the API's text.
 */
export async function callApi<T>(
  connection: NatsConnection,
  operation: string,
  payload: Uint8Array | string = '',
  headers: Record<string, string> = {},
): Promise<T> {
  const nats = await import('@nats-io/transport-node');
  const block = nats.headers();
  for (const [name, value] of Object.entries(headers)) block.set(name, value);
  const named = Object.keys(headers).length > 0 ? { headers: block } : {};
  const reply = await connection
    .request(`$WEIR.API.${operation}`, payload, { timeout: timeoutMs, ...named })
    .catch((error: Error) => {
      throw requestFailure(error, connection);
    });
  const answer = reply.json<T & ErrorAnswer>();
  if (answer.error !== undefined) throw new Failure(`api-${answer.error.err_code}`, answer.error.description);
  return answer;
}
