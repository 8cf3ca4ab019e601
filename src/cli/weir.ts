// The `weir` command. `weir serve` goes straight to the server: nothing else is loaded before it listens.
import { describe } from '../base/failure.js';
import { exitCodes, UsageFailure } from './usage-failure.js';

const [first, ...rest] = process.argv.slice(2);

// `weir sub … | head` closes our stdout: that is the end of the work, not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

/** In one line, without a stack; a mistake of our own has its kind. */
function textOf(error: unknown): string {
  const isOurs = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return isOurs ? `${error.name}: ${error.message}` : describe(error);
}

if (first === 'serve') {
  // Before anything else is loaded: already that has V8 take space for young objects that it does not give back (bench: edge).
  if (rest.some((arg) => /^--?edge$/.test(arg))) (await import('./engine.js')).saveMemory();
  const { runServer } = await import('./run-server.js');
  await runServer('weir', rest);
} else {
  try {
    const { createProgram } = await import('./program.js');
    await createProgram().parseAsync();
  } catch (error) {
    process.stderr.write(`weir: ${textOf(error)}\n`);
    process.exitCode = error instanceof UsageFailure ? exitCodes.usage : exitCodes.failure;
  }
}
