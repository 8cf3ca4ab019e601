// Loads an entry of dist/. A published package has it; a fresh clone builds it first.
import { existsSync } from 'node:fs';

export async function load(entry) {
  const url = new URL(`../dist/${entry}`, import.meta.url);
  if (!existsSync(url)) {
    const { ensureBuilt, ensureInstalled } = await import('../scripts/ensure.mjs');
    ensureInstalled();
    ensureBuilt({ types: false });
  }
  // Only what npx itself runs: a script that it runs may start a server and leave it there.
  if (process.env.npm_lifecycle_event === 'npx' && /^'?(weir|nats-server)\b/.test(process.env.npm_lifecycle_script)) {
    const { endWithNpm } = await import('./end-with-npm.mjs');
    endWithNpm();
  }
  await import(url.href);
}
