import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressOf, RawClient } from '../kit/raw-client.js';
import { tempFolder } from '../kit/temp-folder.js';
import { Program } from './program.js';

const THRESHOLD = join(import.meta.dirname, '..', '..', 'dist', 'plugins', 'threshold.wasm');
const CONFIG = `
plugins {
  modules { threshold: "${THRESHOLD}" }
  attachments { hot { plugin: threshold, subject: "t.>", config { field: "v", at_least: 50 } } }
}
`;

let folder: { path: string; remove: () => void };
const running: Program[] = [];

beforeEach(() => {
  folder = tempFolder();
});

afterEach(async () => {
  for (const program of running.splice(0)) await program.kill();
  folder.remove();
});

async function ready(config: string, ...flags: string[]): Promise<Program> {
  const file = join(folder.path, `${running.length}.conf`);
  writeFileSync(file, config);
  const program = new Program('weir', ['-a', '127.0.0.1', '-p', '-1', '-c', file, ...flags], folder.path);
  running.push(program);
  await program.says('Server is ready');
  return program;
}

/** The most memory that a process had so far, in MB. */
function peakOf({ pid }: Program): number {
  return (Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1024) / 1e6;
}

describe('the edge profile', () => {
  it.each([
    ['by flag', CONFIG, ['--edge']],
    ['by configuration', `${CONFIG}\nedge: true`, []],
  ])('%s: declared plugins are at work', async (_how, config, flags) => {
    const { stderr } = await ready(config, ...flags);
    const [, address] = /client connections on (\S+)/.exec(stderr)!;
    const client = await RawClient.connected(addressOf(`nats://${address}`));
    client.send('SUB t.* 1\r\nPUB t.a 8\r\n{"v":10}\r\nPUB t.b 8\r\n{"v":90}\r\nPING\r\n');
    await client.expect('MSG t.b 1 8\r\n{"v":90}\r\nPONG\r\n');
    client.close();
  });

  it.skipIf(process.platform !== 'linux')('takes less memory to start with a plugin', async () => {
    const usual = peakOf(await ready(CONFIG));
    const edge = peakOf(await ready(CONFIG, '--edge'));
    expect(usual - edge).toBeGreaterThan(5);
  });
});
