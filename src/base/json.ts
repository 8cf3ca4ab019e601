/** Values within values: each level costs a parser, and every collection of what it made, many times the two bytes that it takes to write. */
const NESTING_MAX = 512;

/** `JSON.parse` for what strangers wrote. Throws a `SyntaxError`, also when it is nested deeper than anything that is asked for here. */
export function parseJson(text: string): unknown {
  // What is shorter cannot be as deep.
  if (text.length > NESTING_MAX && isTooDeep(text))
    throw new SyntaxError(`the JSON is nested more than ${NESTING_MAX} levels deep`);
  return JSON.parse(text);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      for (i++; i < text.length && text.charCodeAt(i) !== QUOTE; i++) if (text.charCodeAt(i) === BACKSLASH) i++;
    } // Brackets and braces differ in one bit: [ 5b, { 7b, ] 5d, } 7d.
    else if ((code & 0xdf) === 0x5b) {
      if (++depth > NESTING_MAX) return true;
    } else if ((code & 0xdf) === 0x5d) depth--;
  }
  return false;
}
