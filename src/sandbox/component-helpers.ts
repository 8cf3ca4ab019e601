import { ControlWord, RECORD_HEAD_BYTES, RecordKind } from './abi.js';
import {
  add,
  addLong,
  and,
  andLong,
  answer,
  type Code,
  call,
  choose,
  copy,
  differ,
  equal,
  fill,
  get,
  getGlobal,
  grow,
  i32,
  i64,
  less,
  load,
  loadByte,
  loadDouble,
  loadLong,
  loadShort,
  long,
  more,
  moreLong,
  negative,
  not,
  notLong,
  or,
  set,
  setGlobal,
  shiftLeft,
  shiftRight,
  short,
  store,
  storeDouble,
  storeLong,
  subtract,
  trap,
  when,
  whilst,
} from './expressions.js';
import { ValueType } from './value-types.js';

const { i32: I32, i64: I64 } = ValueType;

/** A function that is written into a component's core module. */
export interface AdapterFunction {
  /** Of the export; null for one that the others call. */
  name: string | null;
  params: readonly number[];
  results: readonly number[];
  locals: readonly number[];
  code: Code;
}

/** What the functions refer to, by index. */
export interface AdapterIndexes {
  /** Of the first of them, which is `grow`. */
  first: number;
  /** Allocates the guest's memory: `(old, oldBytes, alignment, bytes) -> address`. */
  realloc: number;
  /** Null where no fuel is charged. */
  fuelGlobal: number | null;
  /** Pages of memory that the guest knows of. */
  pagesGlobal: number;
  /** Pages behind them that the host's boxes lie in. */
  boxesGlobal: number;
  /** Pages that the guest's own memory may have. */
  pagesMax: number;
}

/** One more than the host reads: it says that there are too many. */
const EFFECTS_MAX = 1001;

/** Where things lie in what the component's functions answer, as the canonical ABI lays the types of `weir-plugin.wit` out. */
export const RESULT = { discriminant: 0, value: 4, valueBytes: 8 } as const;
export const OUTCOME = { verdict: 4, verdictValue: 8, effects: 56, effectsCount: 60 } as const;
const REPLACEMENT = { subject: 0, reply: 12, headers: 24, payload: 36 } as const;
const REJECTION = { code: 0, text: 4 } as const;
const EFFECT = { value: 8, bytes: 48 } as const;
const EMISSION = { subject: 0, reply: 8, headers: 20, payload: 28 } as const;
const LINE = { level: 0, text: 4 } as const;
const SAMPLE = { kind: 0, name: 4, value: 16 } as const;

/** Longer lists are left to the engine. */
const COPIED_HERE_MAX = 160;

/** The bits of eight bytes that are ASCII: none of these. */
export const ASCII = 0x8080808080808080n;

/** Helpers, by their place behind the first. */
const HELPERS = {
  grow: 0,
  lower: 1,
  isUtf8: 2,
  begin: 3,
  record: 4,
  optional: 5,
  emit: 6,
  effect: 7,
  effects: 8,
  outcome: 9,
} as const;

/** What moves values between the host's boxes and a component's own memory: functions that `ComponentAdapter` calls. */
export class ComponentHelpers {
  private readonly at: AdapterIndexes;

  constructor(at: AdapterIndexes) {
    this.at = at;
  }

  /** In the order of their indexes, from `first` on. */
  functions(): AdapterFunction[] {
    const made = [this.grow(), this.lower(), this.isUtf8(), this.begin(), this.record(), this.optional(), this.emit()];
    made.push(this.effect(), this.effects(), this.outcome());
    return made;
  }

  /** Address of the control block. */
  get control(): Code {
    return shiftLeft(getGlobal(this.at.pagesGlobal), i32(16));
  }

  word(index: number): Code {
    return load(this.control, index * 4);
  }

  setWord(index: number, value: Code): Code {
    return store(this.control, value, index * 4);
  }

  call(name: keyof typeof HELPERS, ...operands: Code[]): Code {
    return call(this.at.first + HELPERS[name], ...operands);
  }

  /** The text of a reject or an error; nothing for an empty one. */
  text(at: Code, bytes: Code): Code {
    return when(bytes, this.call('record', i32(RecordKind.error), at, bytes));
  }

  /** `(pages) -> i32`: the guest's `memory.grow`. What it gets is zero, as it would be. */
  private grow(): AdapterFunction {
    const { fuelGlobal, pagesGlobal, boxesGlobal, pagesMax } = this.at;
    const [pages, boxes] = [getGlobal(pagesGlobal), getGlobal(boxesGlobal)];
    const wanted = add(pages, get(0));
    const boxBytes = shiftLeft(boxes, i32(16));
    // They say where they are themselves.
    const moved = (word: number) => this.setWord(word, add(this.word(word), shiftLeft(get(0), i32(16))));
    const code = [
      ...when(or(more(get(0), i32(pagesMax)), more(wanted, i32(pagesMax))), answer(i32(-1))),
      ...when(not(get(0)), answer(pages)),
      ...when(equal(grow(get(0)), i32(-1)), answer(i32(-1))),
      // What moving the boxes costs, as `memory.copy` is charged.
      ...(fuelGlobal === null ? [] : charge(fuelGlobal, shiftRight(boxBytes, i32(3)))),
      ...set(1, shiftLeft(pages, i32(16))),
      ...copy(shiftLeft(wanted, i32(16)), get(1), boxBytes),
      ...set(2, choose(less(get(0), boxes), get(0), boxes)),
      ...fill(get(1), i32(0), shiftLeft(get(2), i32(16))),
      ...setGlobal(pagesGlobal, wanted),
      ...when(boxes, [...moved(ControlWord.inbox), ...moved(ControlWord.outbox)]),
      ...subtract(pages, get(0)),
    ];
    return helper([I32], [I32], [I32, I32], code);
  }

  /** Memory of the guest's own. */
  allocated(bytes: Code): Code {
    return call(this.at.realloc, i32(0), i32(0), i32(1), bytes);
  }

  /** Copies out of the inbox; all are locals, and `from` is where in the boxes they lie: they may have moved. */
  copied({ from, to, at, last, bytes }: Record<'from' | 'to' | 'at' | 'last' | 'bytes', number>): Code {
    const copyEight = storeLong(add(get(to), get(at)), loadLong(add(get(from), get(at))));
    return [
      ...set(from, add(this.control, get(from))),
      ...set(last, subtract(get(bytes), i32(8))),
      // For a few bytes a loop takes half the time of the engine's own copy (bench/micro/sandbox.ts); the last eight may overlap those before.
      ...when(
        less(get(last), i32(COPIED_HERE_MAX)),
        [
          ...set(at, i32(0)),
          ...whilst(less(get(at), get(last)), [...copyEight, ...set(at, add(get(at), i32(8)))]),
          ...set(at, get(last)),
          ...copyEight,
        ],
        copy(get(to), get(from), get(bytes)),
      ),
    ];
  }

  /** `(offset, bytes) -> i32`: a part of the inbox as a list or string of the guest's own. */
  private lower(): AdapterFunction {
    const [from, bytes, to, at, last] = [0, 1, 2, 3, 4];
    const code = [...set(to, this.allocated(get(bytes))), ...this.copied({ from, to, at, last, bytes }), ...get(to)];
    return helper([I32, I32], [I32], [I32, I32, I32], code);
  }

  /** `(at, bytes) -> i32` */
  private isUtf8(): AdapterFunction {
    const [at, end, code, left, least] = [0, 1, 2, 3, 4];
    const byte = loadByte(get(at));
    const next = set(at, add(get(at), i32(1)));
    const lead = (mask: number, bits: number, then: { left: number; least: number }) => ({ mask, bits, then });
    const leads = [
      lead(0xe0, 0xc0, { left: 1, least: 0x80 }),
      lead(0xf0, 0xe0, { left: 2, least: 0x800 }),
      lead(0xf8, 0xf0, { left: 3, least: 0x10000 }),
    ];
    const starts = leads.flatMap(({ mask, bits, then }) =>
      when(equal(and(get(code), i32(mask)), i32(bits)), [
        ...set(left, i32(then.left)),
        ...set(least, i32(then.least)),
        ...set(code, and(get(code), i32(~mask & 0xff))),
      ]),
    );
    const continued = [
      ...when(or(not(less(get(at), get(end))), differ(and(byte, i32(0xc0)), i32(0x80))), answer(i32(0))),
      ...set(code, or(shiftLeft(get(code), i32(6)), and(byte, i32(0x3f)))),
      ...next,
      ...set(left, subtract(get(left), i32(1))),
    ];
    const isSurrogate = equal(and(get(code), i32(0xfffff800)), i32(0xd800));
    const isWrong = or(or(less(get(code), get(least)), more(get(code), i32(0x10ffff))), isSurrogate);
    const character = [
      ...set(code, byte),
      ...next,
      ...when(more(get(code), i32(0x7f)), [
        ...set(left, i32(0)),
        ...starts,
        ...when(not(get(left)), answer(i32(0))),
        ...whilst(get(left), continued),
        ...when(isWrong, answer(i32(0))),
      ]),
    ];
    const isLast = not(less(add(get(at), i32(8)), get(end)));
    const eightAreAscii = (from: Code) => notLong(andLong(loadLong(from), i64(ASCII)));
    return helper(
      [I32, I32],
      [I32],
      [I32, I32, I32],
      [
        ...set(end, add(get(at), get(end))),
        // Eight at a time, as long as they are ASCII, as good as all are; the last eight again with some of those before.
        ...when(less(add(get(at), i32(7)), get(end)), [
          ...whilst(choose(isLast, i32(0), eightAreAscii(get(at))), set(at, add(get(at), i32(8)))),
          ...when(choose(isLast, eightAreAscii(subtract(get(end), i32(8))), i32(0)), answer(i32(1))),
        ]),
        ...whilst(less(get(at), get(end)), character),
        ...i32(1),
      ],
    );
  }

  /** `(kind, bytes: i64) -> i32`: the head of a record in the outbox; answers where its body goes, or 0 when it has no room. */
  private begin(): AdapterFunction {
    const [kind, bytes, start, total] = [0, 1, 2, 3];
    const used = this.word(ControlWord.outboxLength);
    const padded = andLong(addLong(get(bytes), i64(3n)), i64(~3n));
    return helper(
      [I32, I64],
      [I32],
      [I32, I64],
      [
        ...set(start, add(this.word(ControlWord.outbox), used)),
        ...set(total, addLong(long(used), addLong(padded, i64(BigInt(RECORD_HEAD_BYTES))))),
        ...when(moreLong(get(total), i64(0xffffffffn)), set(total, i64(0xffffffffn))),
        // Too much is told, too: the host says how much was allowed.
        ...this.setWord(ControlWord.outboxLength, short(get(total))),
        ...when(moreLong(get(total), long(this.word(ControlWord.outboxCapacity))), answer(i32(0))),
        ...store(get(start), get(kind)),
        ...store(get(start), short(get(bytes)), 4),
        ...add(get(start), i32(RECORD_HEAD_BYTES)),
      ],
    );
  }

  /** `(kind, at, bytes)` */
  private record(): AdapterFunction {
    const body = 3;
    return helper(
      [I32, I32, I32],
      [],
      [I32],
      [...set(body, this.call('begin', get(0), long(get(2)))), ...when(get(body), copy(get(body), get(1), get(2)))],
    );
  }

  /** `(kind, at)`: a record of an option that is there. */
  private optional(): AdapterFunction {
    const there = loadByte(get(1));
    return helper(
      [I32, I32],
      [],
      [],
      [
        ...when(more(there, i32(1)), trap),
        ...when(there, this.call('record', get(0), load(get(1), 4), load(get(1), 8))),
      ],
    );
  }

  /** `(at)`: a further message. */
  private emit(): AdapterFunction {
    const [at, body, reply, replyBytes] = [0, 1, 2, 3];
    const isThere = loadByte(get(at), EMISSION.reply);
    const list = (offset: number) => ({ start: load(get(at), offset), bytes: load(get(at), offset + 4) });
    const parts = [
      list(EMISSION.subject),
      { start: get(reply), bytes: get(replyBytes) },
      list(EMISSION.headers),
      list(EMISSION.payload),
    ];
    const total = parts.reduce((sum, { bytes }) => addLong(sum, long(bytes)), i64(16n));
    const writePart = ({ start, bytes }: (typeof parts)[number]) => [
      ...copy(get(body), start, bytes),
      ...set(body, add(get(body), bytes)),
    ];
    return helper(
      [I32],
      [],
      [I32, I32, I32],
      [
        ...when(more(isThere, i32(1)), trap),
        // Where none is, what lies in its place means nothing, as an address neither.
        ...when(isThere, [
          ...set(reply, load(get(at), EMISSION.reply + 4)),
          ...set(replyBytes, load(get(at), EMISSION.reply + 8)),
        ]),
        ...set(body, this.call('begin', i32(RecordKind.emit), total)),
        ...when(not(get(body)), answer()),
        ...parts.flatMap(({ bytes }, i) => store(get(body), bytes, i * 4)),
        ...set(body, add(get(body), i32(16))),
        ...parts.flatMap(writePart),
      ],
    );
  }

  /** `(at)`: one effect. */
  private effect(): AdapterFunction {
    const [at, body] = [0, 1];
    const value = (offset: number) => EFFECT.value + offset;
    const bytesAt = (offset: number) => load(get(at), value(offset) + 4);
    const level = loadByte(get(at), value(LINE.level));
    const kind = loadByte(get(at), value(SAMPLE.kind));
    const headed = (record: number, headBytes: number, text: number, head: Code) => [
      ...set(body, this.call('begin', i32(record), addLong(long(bytesAt(text)), i64(BigInt(headBytes))))),
      ...when(get(body), [...head, ...copy(add(get(body), i32(headBytes)), load(get(at), value(text)), bytesAt(text))]),
    ];
    const log = [...when(more(level, i32(3)), trap), ...headed(RecordKind.log, 4, LINE.text, store(get(body), level))];
    const head = [...store(get(body), kind), ...storeDouble(get(body), loadDouble(get(at), value(SAMPLE.value)), 4)];
    const metric = [...when(more(kind, i32(2)), trap), ...headed(RecordKind.metric, 12, SAMPLE.name, head)];
    return helper(
      [I32],
      [],
      [I32],
      cases(loadByte(get(at)), [this.call('emit', add(get(at), i32(EFFECT.value))), log, metric]),
    );
  }

  /** `(at, count)`: a list of effects. */
  private effects(): AdapterFunction {
    const [at, count] = [0, 1];
    return helper(
      [I32, I32],
      [],
      [],
      [
        ...when(and(get(at), i32(7)), when(get(count), trap)),
        ...when(more(get(count), i32(EFFECTS_MAX)), set(count, i32(EFFECTS_MAX))),
        ...whilst(get(count), [
          ...this.call('effect', get(at)),
          ...set(at, add(get(at), i32(EFFECT.bytes))),
          ...set(count, subtract(get(count), i32(1))),
        ]),
      ],
    );
  }

  /** `(at) -> i32`: the verdict of an outcome, whose parts and effects become records. */
  private outcome(): AdapterFunction {
    const [at, verdict] = [0, 1];
    const value = (offset: number) => OUTCOME.verdictValue + offset;
    const part = (kind: number, offset: number) => this.call('optional', i32(kind), add(get(at), i32(value(offset))));
    const replace = [
      ...part(RecordKind.subject, REPLACEMENT.subject),
      ...part(RecordKind.reply, REPLACEMENT.reply),
      ...part(RecordKind.headers, REPLACEMENT.headers),
      ...part(RecordKind.payload, REPLACEMENT.payload),
    ];
    const text = value(REJECTION.text);
    const reject = [
      ...this.setWord(ControlWord.code, loadShort(get(at), value(REJECTION.code))),
      ...this.text(load(get(at), text), load(get(at), text + 4)),
    ];
    return helper(
      [I32],
      [I32],
      [I32],
      [
        ...set(verdict, loadByte(get(at), OUTCOME.verdict)),
        ...when(get(verdict), cases(subtract(get(verdict), i32(1)), [[], replace, reject])),
        ...this.call('effects', load(get(at), OUTCOME.effects), load(get(at), OUTCOME.effectsCount)),
        ...get(verdict),
      ],
    );
  }
}

function charge(fuelGlobal: number, fuel: Code): Code {
  return [
    ...setGlobal(fuelGlobal, subtract(getGlobal(fuelGlobal), fuel)),
    ...when(negative(getGlobal(fuelGlobal)), trap),
  ];
}

/** Runs the code of the case that the number names; traps when there is none. */
export function cases(discriminant: Code, codes: readonly Code[]): Code {
  return codes.reduceRight<Code>((rest, code, i) => when(equal(discriminant, i32(i)), code, rest), trap);
}

function helper(
  params: readonly number[],
  results: readonly number[],
  locals: readonly number[],
  code: Code,
): AdapterFunction {
  return { name: null, params, results, locals, code };
}
