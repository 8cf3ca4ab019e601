// Loads an entry of dist/. A published package has it; a fresh clone builds it first.
import { existsSync } from 'node:fs';

export async function load(entry) {
  const url = new URL(`../dist/${entry}`, import.meta.url);
  if (!existsSync(url)) {
    const { ensureBuilt, ensureInstalled } = await import('../scripts/ensure.mjs');
    ensureInstalled();
    ensureBuilt({ types: false });
  }
  await import(url.href);
}
