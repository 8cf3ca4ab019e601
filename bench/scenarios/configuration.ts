import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes a configuration file, in a folder of its own that `write` may put more into: `use` gets the arguments that name the file. */
export async function withConfiguration<T>(
  write: (folder: string) => string,
  use: (args: string[]) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  const file = join(folder, 'server.conf');
  try {
    writeFileSync(file, write(folder));
    return await use(['-c', file]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
