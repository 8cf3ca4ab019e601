import { afterEach, describe } from 'vitest';
import { type Logger, silentLogger } from '../../src/base/logger.js';
import type { Server } from '../../src/server/server.js';
import { absent, findPeer } from './peers.js';
import { type RunningServer, startProgram, startWeir } from './servers.js';

/** Weir in this process, and what it logs, each line with its level in front. */
export interface WeirUnderTest extends RunningServer {
  server: Server;
  lines: string[];
}

export async function startWeirOn(config: string): Promise<WeirUnderTest> {
  const lines: string[] = [];
  const note = (level: string) => (text: string) => void lines.push(`${level} ${text}`);
  const logger: Logger = {
    ...silentLogger,
    error: note('error'),
    warn: note('warn'),
    info: note('info'),
    debug: note('debug'),
  };
  return { ...(await startWeir(config, logger)), lines };
}

/**
 * The same tests for Weir and, as their judge, for nats-server where there is one. `start` starts the server with the text of a
 * configuration file; it is stopped after each test.
 */
export function judged(what: string, tests: (start: (config: string) => Promise<RunningServer>) => void): void {
  const running: RunningServer[] = [];
  const keep = async (starting: Promise<RunningServer>) => {
    const server = await starting;
    running.push(server);
    return server;
  };
  afterEach(async () => {
    for (const server of running.splice(0)) await server.stop();
  });
  describe(`${what}: weir`, () => tests((config) => keep(startWeirOn(config))));
  const peer = findPeer('nats-server');
  describe.skipIf(peer === null)(`${what}: ${peer === null ? absent('nats-server') : 'nats-server'}`, () =>
    tests((config) => keep(startProgram(peer!, config))),
  );
}
