// A thread of build-plugins.mjs: compiles one plugin per message, answers null or what is wrong with it.
import { renameSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { compilePlugin } from '../plugins/build/compile.mjs';

parentPort.on('message', async ({ folder, outFile }) => {
  try {
    const made = `${outFile}.${process.pid}.tmp`;
    await compilePlugin({ folder, outFile: made });
    renameSync(made, outFile);
    parentPort.postMessage(null);
  } catch (error) {
    parentPort.postMessage(error.message);
  }
});
