import { createRequire } from 'node:module';
import { dirname } from 'node:path';

/** The folder that holds Weir's package.json, whether run from a clone, from `dist/` or as an installed package. */
export function packageFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('weir/package.json'));
}
