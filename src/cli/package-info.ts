import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The folder that holds Weir's package.json, whether run from a clone, from `dist/` or as an installed package. */
export function packageFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('weir/package.json'));
}

/** Weir's own version, such as `0.1.0`. */
export function packageVersion(): string {
  return JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')).version;
}
