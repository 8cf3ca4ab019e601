// Makes JSON of lines such as `2010-01-01T01:00:00,1016.6,4.0,3.8`, and refuses what is none. Written to the canonical ABI by hand, as a compiler
// that knows components would do it: `process` takes the fields of `message` (plugins/wit/weir-plugin.wit) one after another, and answers where the
// `result<outcome, failure>` lies.

const NAMES: StaticArray<string> = ['date', 'pressure', 'temperature', 'wind'];
const EXPECTED = 'expected date,pressure,temperature,wind';

/** The discriminants of `verdict`. */
const REPLACE: u8 = 2;
const REJECT: u8 = 3;

/** Where the answer lies: 64 bytes, all of them 0 when nothing is said. */
const ANSWER = memory.data(64, 8);
/** Of the answer: the verdict, its first case, the payload within a `replacement`, and the text within a `rejection`. */
const VERDICT_AT: usize = ANSWER + 4;
const CASE_AT: usize = ANSWER + 8;
const PAYLOAD_AT: usize = CASE_AT + 36;
const TEXT_AT: usize = CASE_AT + 4;

/** Memory for what the host hands over. */
export function cabi_realloc(old: usize, _oldBytes: usize, _alignment: usize, bytes: usize): usize {
  return old == 0 ? heap.alloc(bytes) : heap.realloc(old, bytes);
}

export function process(
  _subject: usize,
  _subjectBytes: usize,
  _hasReply: i32,
  _reply: usize,
  _replyBytes: usize,
  _headers: usize,
  _headersBytes: usize,
  payload: usize,
  payloadBytes: usize,
  _timestampMs: f64,
): usize {
  memory.fill(ANSWER, 0, 64);
  const fields = String.UTF8.decodeUnsafe(payload, payloadBytes).split(',');
  const json = jsonOf(fields);
  if (json === null) {
    store<u8>(VERDICT_AT, REJECT);
    store<u16>(CASE_AT, 422);
    answerText(TEXT_AT, EXPECTED);
  } else {
    store<u8>(VERDICT_AT, REPLACE);
    // There is one: the case of an `option`.
    store<u8>(PAYLOAD_AT, 1);
    answerText(PAYLOAD_AT + 4, json);
  }
  return ANSWER;
}

/** The host has read the answer: nothing in memory is needed any more. */
export function cabi_post_process(_answer: usize): void {
  heap.reset();
}

function jsonOf(fields: string[]): string | null {
  if (fields.length != NAMES.length) return null;
  const date = fields[0];
  for (let i = 0; i < date.length; i++) {
    const code = date.charCodeAt(i);
    // Digits and `T:-`: nothing that JSON would have to escape.
    if (!(code >= 0x30 && code <= 0x3a) && code != 0x2d && code != 0x54) return null;
  }
  let json = `{"date":"${date}"`;
  for (let i = 1; i < fields.length; i++) {
    const value = parseFloat(fields[i]);
    if (!isFinite(value)) return null;
    json += `,"${NAMES[i]}":${value}`;
  }
  return json + '}';
}

/** A `string` or `list<u8>`: where it lies, and how long it is. */
function answerText(at: usize, text: string): void {
  const bytes = String.UTF8.encode(text);
  store<usize>(at, changetype<usize>(bytes));
  store<usize>(at, <usize>bytes.byteLength, sizeof<usize>());
}
