// The header block of a message: `NATS/1.0`, a status on the same line if there is one, then lines of `Name: value`, each ended by CR LF, and an
// empty line. Names are compared letter by letter.

const CR: u32 = 0x0d;
const COLON: u32 = 0x3a;
const CRLF_BYTES: usize = 2;

/** The value of the first line with this name, without the spaces around it; null when there is none. */
export function headerValue(start: usize, bytes: usize, name: string): string | null {
  const end = start + bytes;
  for (let line = nextLine(start, end); line < end; line = nextLine(line, end)) {
    if (!isNamed(line, end, name)) continue;
    let from = line + name.length + 1;
    let to = lineEnd(line, end);
    while (from < to && load<u8>(from) <= 0x20) from++;
    while (to > from && load<u8>(to - 1) <= 0x20) to--;
    return String.UTF8.decodeUnsafe(from, to - from);
  }
  return null;
}

/** The block with all lines of a name taken out, and one with the value put in unless that is null; empty when no line is left. */
export function headersWith(start: usize, bytes: usize, name: string, value: string | null): string {
  const end = start + bytes;
  const first = bytes == 0 ? 'NATS/1.0' : String.UTF8.decodeUnsafe(start, lineEnd(start, end) - start);
  let lines = '';
  for (let line = nextLine(start, end); line < end; line = nextLine(line, end)) {
    const to = lineEnd(line, end);
    if (to > line && !isNamed(line, end, name)) lines += `${String.UTF8.decodeUnsafe(line, to - line)}\r\n`;
  }
  if (value !== null) lines += `${name}: ${value}\r\n`;
  return lines == '' && first == 'NATS/1.0' ? '' : `${first}\r\n${lines}\r\n`;
}

/** Why a header cannot be written so; null when it can. */
export function headerMistake(name: string, value: string): string | null {
  if (name == '') return 'a header without a name';
  for (let i = 0; i < name.length; i++) {
    const code = <u32>name.charCodeAt(i);
    if (code <= 0x20 || code == COLON || code == 0x7f) return `a header with the name "${name}": a colon, a space or a control character is in it`;
  }
  for (let i = 0; i < value.length; i++) {
    const code = <u32>value.charCodeAt(i);
    if (code == CR || code == 0x0a || code == 0) return `the header "${name}" with a line break in its value`;
  }
  return null;
}

/** Where the line that begins at `at` ends, without its CR LF. */
function lineEnd(at: usize, end: usize): usize {
  while (at < end && load<u8>(at) != CR) at++;
  return at;
}

function nextLine(at: usize, end: usize): usize {
  return lineEnd(at, end) + CRLF_BYTES;
}

function isNamed(line: usize, end: usize, name: string): bool {
  const length = <usize>name.length;
  // Names are ASCII: bytes and characters are the same.
  if (line + length >= end || load<u8>(line + length) != COLON) return false;
  for (let i: usize = 0; i < length; i++) if (load<u8>(line + i) != load<u16>(changetype<usize>(name) + (i << 1))) return false;
  return true;
}
