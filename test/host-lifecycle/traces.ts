import { headers, type NatsConnection } from '@nats-io/transport-node';

const DEADLINE_MS = 20_000;
// biome-ignore lint/suspicious/noExplicitAny: events are looked into at will, and every look is an expectation.
export type Json = Record<string, any>;

let traces = 0;

/** Publishes a message that asks for its trace; resolves with that once it came. */
export async function traceOf(
  client: NatsConnection,
  subject: string,
  { only = false, payload = 'hello', reply = '' } = {},
): Promise<Json> {
  const dest = `traces.${++traces}`;
  const subscription = client.subscribe(dest, { max: 1, timeout: DEADLINE_MS });
  const set = headers();
  set.set('Nats-Trace-Dest', dest);
  if (only) set.set('Nats-Trace-Only', 'true');
  // No flush: its PONG would come behind what waits.
  client.publish(subject, payload, { headers: set, ...(reply !== '' && { reply }) });
  for await (const message of subscription) return message.json();
  throw new Error('no trace came');
}
