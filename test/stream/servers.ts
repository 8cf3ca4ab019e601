import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe } from 'vitest';
import { absent, findPeer } from '../kit/peers.js';
import { type RunningServer, startProgram, startWeir } from '../kit/servers.js';
import { tempFolder } from '../kit/temp-folder.js';

/** What a test of streams works with. */
export interface StreamServer {
  server: RunningServer;
  connection: NatsConnection;
  js: JetStreamClient;
  manager: JetStreamManager;
}

const natsServer = findPeer('nats-server');

/**
 * Runs the same tests against Weir, with each of its storages, and, where it is there, against nats-server: that one proves that they
 * tell the truth.
 */
export function describeStreams(
  name: string,
  tests: (at: () => StreamServer, storage: 'file' | 'memory') => void,
): void {
  describe(name, () => {
    for (const storage of ['memory', 'file'] as const)
      describe(`weir, ${storage}`, () => run((config) => startWeir(config), storage, tests));
    describe.skipIf(natsServer === null)(natsServer === null ? absent('nats-server') : 'nats-server', () =>
      run((config) => startProgram(natsServer!, config), 'file', tests),
    );
  });
}

function run(
  start: (config: string) => Promise<RunningServer>,
  storage: 'file' | 'memory',
  tests: (at: () => StreamServer, storage: 'file' | 'memory') => void,
): void {
  const folder = tempFolder();
  let at: StreamServer;
  beforeAll(async () => {
    const server = await start(`jetstream { store_dir: ${JSON.stringify(folder.path)} }`);
    const connection = await connect({ servers: server.url, reconnect: false });
    at = { server, connection, js: jetstream(connection), manager: await jetstreamManager(connection) };
  });
  afterAll(async () => {
    await at?.connection.close();
    await at?.server.stop();
    folder.remove();
  });
  tests(() => at, storage);
}
