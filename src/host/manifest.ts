import type { Manifest } from './manifest-contents.js';

/** Reads the manifest of a module, or answers null when it has none. Rejects with a `Failure` that names the place of a mistake. */
export async function readManifest(text: string | null): Promise<Manifest | null> {
  if (text === null) return null;
  const { parseManifest } = await import('./manifest-schema.js');
  return parseManifest(text);
}
