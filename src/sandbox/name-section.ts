import type { ByteReader } from './byte-reader.js';

const NAMES_MAX = 10_000;
const NAME_CHARACTERS_MAX = 200;
const FUNCTION_NAMES = 1;
/** Names end up in logs and headers. */
const CONTROL_CHARACTERS = /[\x00-\x1f\x7f]/g;

/**
 * Function names by index from a `name` section whose own name was read. The section is only for people: when it is malformed, what was read up
 * to there is all there is.
 */
export function readFunctionNames(section: ByteReader): Map<number, string> {
  const names = new Map<number, string>();
  try {
    while (!section.done) {
      const id = section.byte();
      const part = section.part(section.u32());
      if (id !== FUNCTION_NAMES) continue;
      for (let count = Math.min(part.u32(), NAMES_MAX); count > 0; count--) {
        names.set(part.u32(), part.name().slice(0, NAME_CHARACTERS_MAX).replace(CONTROL_CHARACTERS, '?'));
      }
    }
  } catch {
    return names;
  }
  return names;
}
