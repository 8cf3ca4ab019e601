import { type ConnectionOptions, connect, type NatsConnection } from '@nats-io/transport-node';
import { onTestFinished } from 'vitest';
import { type Address, RawClient } from './raw-client.js';

const DEADLINE_MS = 10_000;

/** A client of a user whose password is `p`, until the test is over. */
export async function as(servers: string, user: string, more: ConnectionOptions = {}): Promise<NatsConnection> {
  const connection = await connect({ servers, user, pass: 'p', reconnect: false, timeout: DEADLINE_MS, ...more });
  onTestFinished(() => connection.close());
  return connection;
}

/** The same, speaking the protocol itself. */
export async function rawAs(address: Address, user: string, more: object = {}): Promise<RawClient> {
  const client = await RawClient.connected(address, { user, pass: 'p', ...more });
  onTestFinished(() => client.close());
  return client;
}
