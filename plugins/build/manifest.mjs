// Puts what a plugin's folder says about it (`plugin.json`) into its module, as the custom section `weir.manifest`.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const SECTION = 'weir.manifest';

/** The module with its manifest; as it is when the folder has none. Throws an `Error` that names the file. */
export async function withManifest(wasm, folder) {
  const file = join(folder, 'plugin.json');
  if (!existsSync(file)) return wasm;
  try {
    return appendSection(wasm, JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    throw new Error(`plugin.json is not JSON: ${error.message}`);
  }
}

/** Appends the section: engines skip custom sections, the host reads this one. */
export function appendSection(wasm, manifest) {
  const name = Buffer.from(SECTION);
  const body = Buffer.concat([leb128(name.length), name, Buffer.from(JSON.stringify(manifest))]);
  return Buffer.concat([wasm, Buffer.from([0]), leb128(body.length), body]);
}

/** A module without the section that `appendSection` put at its end, and what that said. */
export function splitManifest(wasm) {
  for (let at = 8; at < wasm.length; ) {
    const start = at;
    const id = wasm[at++];
    let bytes = 0;
    for (let shift = 0; ; shift += 7) {
      bytes += (wasm[at] & 0x7f) * 2 ** shift;
      if (wasm[at++] < 0x80) break;
    }
    const name = Buffer.from(wasm.subarray(at + 1, at + 1 + SECTION.length)).toString('latin1');
    if (id === 0 && wasm[at] === SECTION.length && name === SECTION) {
      const text = Buffer.from(wasm.subarray(at + 1 + SECTION.length, at + bytes)).toString('utf8');
      const rest = Buffer.concat([wasm.subarray(0, start), wasm.subarray(at + bytes)]);
      return { wasm: rest, manifest: JSON.parse(text) };
    }
    at += bytes;
  }
  return { wasm, manifest: {} };
}

/** An unsigned number, seven bits to a byte. */
function leb128(value) {
  const bytes = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value = Math.floor(value / 128);
  } while (value > 0);
  return Buffer.from(bytes);
}
