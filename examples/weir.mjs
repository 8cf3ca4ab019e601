// What the examples have in common: Weir as a user runs it, from this clone.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const program = join(import.meta.dirname, '..', 'bin', 'weir.mjs');
const startMsMax = 60_000; // a fresh clone builds Weir first

/** `weir serve` with these flags; resolves when it is ready. */
export async function serve(...flags) {
  const folder = mkdtempSync(join(tmpdir(), 'weir-example-'));
  const log = join(folder, 'server.log');
  const args = ['serve', ...flags, '--ports_file_dir', folder, '-l', log];
  const server = spawn(process.execPath, [program, ...args], { stdio: 'inherit' });
  const exited = new Promise((resolve) => {
    server.once('exit', resolve);
  });
  // Also when the example fails.
  process.on('exit', () => server.kill());
  const stop = async () => {
    server.kill();
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  for (const endsMs = Date.now() + startMsMax; Date.now() < endsMs && server.exitCode === null; await sleep(20)) {
    const ports = readdirSync(folder).find((file) => file.endsWith('.ports'));
    if (ports === undefined) continue;
    const problems = readFileSync(log, 'utf8').match(/^.*\[ERR\].*$/gm);
    if (problems !== null) console.error(problems.join('\n'));
    return { url: JSON.parse(readFileSync(join(folder, ports), 'utf8')).nats[0], stop };
  }
  const said = existsSync(log) ? readFileSync(log, 'utf8') : '';
  await stop();
  throw new Error(`the server did not start:\n${said}`);
}

/** Runs a command of weir, and shows it as one would type it. Throws when it fails. */
export function weir(...words) {
  console.log(`\n$ weir ${words.map((word) => (/[^\w./:-]/.test(word) ? `'${word}'` : word)).join(' ')}`);
  const { status } = spawnSync(process.execPath, [program, ...words], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`weir ${words[0]} ended with ${status}`);
}

/** The text of a data set: real ones, from the package vega-datasets. */
export function dataSet(name) {
  const entry = createRequire(import.meta.url).resolve('vega-datasets');
  return readFileSync(join(dirname(entry), '..', 'data', name), 'utf8');
}
