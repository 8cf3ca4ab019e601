import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../kit/wait.js';

const weir = join(import.meta.dirname, '..', '..', 'bin', 'weir.mjs');

test.skipIf(process.platform === 'win32')('a server that npx started ends with it, whatever ends that', async () => {
  const command = `"${process.execPath}" "${weir}" serve -a 127.0.0.1 -p -1; :`;
  const env = { ...process.env, npm_lifecycle_event: 'npx', npm_lifecycle_script: "'weir'" };
  const shell = spawn('sh', ['-c', command], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  shell.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until(() => said.includes('Server is ready'), 'the server', 20_000);
  shell.kill('SIGKILL');
  await until(() => said.includes('Server Exiting'), 'its end', 20_000);
  expect(said).toContain('Trapped "terminated" signal');
});
