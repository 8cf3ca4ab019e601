import { readFileSync } from 'node:fs';
import { afterEach, describe } from 'vitest';
import { type Logger, silentLogger } from '../../src/base/logger.js';
import { loadOptions } from '../../src/config/load-options.js';
import type { Options } from '../../src/config/options.js';
import { Server } from '../../src/server/server.js';
import { absent, findPeer } from './peers.js';
import { addressOf } from './raw-client.js';
import { type RunningServer, startProgram } from './servers.js';

/** Options of the text of a configuration file that names real files. */
export function optionsOf(config: string): Promise<Options> {
  return loadOptions({
    arguments: { values: { config: 'test.conf' }, words: [] },
    env: {},
    readFile: (path) => (path === 'test.conf' ? config : readFileSync(path, 'utf8')),
  });
}

/** Weir in this process, and what it logs, each line with its level in front. */
export interface WeirUnderTest extends RunningServer {
  server: Server;
  lines: string[];
  reload(config: string): Promise<void>;
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
  const settled = async (text: string) => ({ ...(await optionsOf(text)), host: '127.0.0.1', port: 0 });
  const server = new Server({ options: await settled(config), logger });
  await server.start();
  return {
    name: 'weir',
    server,
    lines,
    url: server.clientUrl,
    address: addressOf(server.clientUrl),
    lameDuck: () => void server.lameDuck(),
    stop: () => server.stop(),
    reload: async (text) => server.reload(await settled(text)),
  };
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
