import { CONTROL_BYTES, ControlWord, RECORD_HEAD_BYTES, RecordKind } from './abi.js';
import type { ComponentFunctions, LiftedFunction } from './component-functions.js';
import {
  type AdapterFunction,
  type AdapterIndexes,
  ASCII,
  ComponentHelpers,
  cases,
  OUTCOME,
  RESULT,
} from './component-helpers.js';
import {
  add,
  addLong,
  and,
  andLong,
  answer,
  type Code,
  call,
  differ,
  equal,
  get,
  getGlobal,
  grow,
  i32,
  i64,
  less,
  load,
  loadByte,
  loadLong,
  long,
  more,
  moreLong,
  negative,
  not,
  notLong,
  or,
  orLong,
  set,
  setGlobal,
  shiftRight,
  storeLong,
  subtract,
  trap,
  when,
  whilst,
} from './expressions.js';
import { ValueType } from './value-types.js';

const { i32: I32, i64: I64, f64: F64 } = ValueType;

/** Locals of `HostExport.message`: its parameters behind fuel and control block, each part followed by its length, and those of its own. */
const Message = {
  subject: 2,
  reply: 4,
  headers: 6,
  payload: 8,
  timestamp: 10,
  base: 12,
  result: 13,
  verdict: 14,
  to: 15,
  from: 16,
  at: 17,
  last: 18,
  bits: 19,
} as const;

/** A short text, room for which is behind the control block. */
const TEXT_BYTES = 64;
const INBOX_OFFSET = CONTROL_BYTES + TEXT_BYTES;

/**
 * Makes a plain guest of a component's core module: functions of the contract for core modules (docs/plugin-abi.md) that call those of the
 * component by the canonical ABI. It lowers a message out of the inbox into memory that the guest allocates, and lifts what the guest
 * answers into records of the outbox, within the guest's own sandbox: a pointer or length that is wrong harms the guest alone, and
 * what comes out is read as carefully as any guest's.
 *
 * A component knows nothing of inbox and outbox, so they lie behind the memory that it sees:
 *
 * ```text
 * 0                            pages                       pages + boxes
 * │ the guest's memory …       │ control │ text │ inbox │ outbox │
 * ```
 *
 * `memory.size` and `memory.grow` are rewritten: when the guest grows, the boxes move up. That is why nothing here keeps an address of theirs
 * across a call into the guest.
 */
export class ComponentAdapter {
  private readonly component: ComponentFunctions;
  private readonly boxesGlobal: number;
  private readonly helpers: ComponentHelpers;

  constructor(component: ComponentFunctions, at: Omit<AdapterIndexes, 'realloc'>) {
    this.component = component;
    this.boxesGlobal = at.boxesGlobal;
    this.helpers = new ComponentHelpers({ ...at, realloc: component.realloc });
  }

  /** In the order of their indexes, from `first` on. */
  functions(): AdapterFunction[] {
    const { configure, tick, drain, save, restore, entry } = this.component;
    const made = [...this.helpers.functions(), exported('weir_abi', [], i32(1)), this.open()];
    if (configure !== undefined) made.push(this.taking('weir_init', configure));
    if (tick !== undefined) {
      const run = [...this.setClock(get(0)), ...call(tick.index, get(0))];
      made.push(this.effectful('weir_tick', [F64], run, tick));
    }
    if (drain !== undefined) made.push(this.effectful('weir_drain', [], call(drain.index), drain));
    if (save !== undefined) made.push(this.save(save));
    if (restore !== undefined) made.push(this.taking('weir_restore', restore));
    if (entry !== undefined) made.push(this.entry(entry));
    return made;
  }

  /** Address of the control block. */
  get control(): Code {
    return this.helpers.control;
  }

  private open(): AdapterFunction {
    const [inbox, outbox, pages] = [0, 1, 2];
    const boxes = getGlobal(this.boxesGlobal);
    const rounded = (local: number) => and(add(get(local), i32(7)), i32(~7));
    const total = add(add(get(inbox), get(outbox)), i32(INBOX_OFFSET + 0xffff));
    const inboxAt = add(this.control, i32(INBOX_OFFSET));
    return exported(
      'weir_open',
      [I32, I32],
      [
        ...set(inbox, rounded(inbox)),
        ...set(outbox, rounded(outbox)),
        ...set(pages, shiftRight(total, i32(16))),
        ...when(more(get(pages), boxes), [
          ...when(equal(grow(subtract(get(pages), boxes)), i32(-1)), answer(i32(0))),
          ...setGlobal(this.boxesGlobal, get(pages)),
        ]),
        ...this.helpers.setWord(ControlWord.inbox, inboxAt),
        ...this.helpers.setWord(ControlWord.inboxCapacity, get(inbox)),
        ...this.helpers.setWord(ControlWord.outbox, add(inboxAt, get(inbox))),
        ...this.helpers.setWord(ControlWord.outboxCapacity, get(outbox)),
        ...this.control,
      ],
      [I32],
    );
  }

  /** `HostExport.message`, but for what is done of it for every guest: a call less for each message. It leaves the verdict. */
  message(): Pick<AdapterFunction, 'locals' | 'code'> {
    const { process } = this.component;
    const operands = [
      ...[get(Message.subject), get(Message.subject + 1)],
      ...[differ(get(Message.reply + 1), i32(0)), get(Message.reply), get(Message.reply + 1)],
      ...[get(Message.headers), get(Message.headers + 1), get(Message.payload), get(Message.payload + 1)],
      get(Message.timestamp),
    ];
    const isPlainPass = not(
      or(loadByte(get(Message.result), OUTCOME.verdict), load(get(Message.result), OUTCOME.effectsCount)),
    );
    const outcome = when(not(isPlainPass), set(Message.verdict, this.helpers.call('outcome', get(Message.result))));
    const run = [
      ...set(Message.base, this.control),
      ...this.lowered(Message.subject, true),
      ...this.lowered(Message.reply, false),
      ...this.lowered(Message.headers, false),
      ...this.lowered(Message.payload, true),
      ...set(Message.result, call(process.index, ...operands)),
      ...this.either(Message.result, outcome, set(Message.verdict, i32(-1))),
      ...after(process, Message.result),
    ];
    return {
      locals: [I32, I32, I32, I32, I32, I32, I32, I64],
      code: [
        ...this.setClock(get(Message.timestamp)),
        ...this.checkTexts(),
        ...when(not(get(Message.verdict)), run),
        ...get(Message.verdict),
      ],
    };
  }

  /** Whether subject and reply are UTF-8; a subject that is ASCII, as good as all are, is found to be that here. */
  private checkTexts(): Code {
    const [at, last, bits] = [Message.at, Message.last, Message.bits];
    const isUtf8 = (local: number) => this.helpers.call('isUtf8', get(local), get(local + 1));
    const wrong = (text: string) => [...this.refusal(text), ...set(Message.verdict, i32(-1))];
    return [
      // With less than eight bytes the bits stay those of a byte that is none.
      ...set(bits, i64(-1n)),
      ...when(more(get(Message.subject + 1), i32(7)), [
        ...set(at, get(Message.subject)),
        ...set(last, add(get(at), subtract(get(Message.subject + 1), i32(8)))),
        ...set(bits, loadLong(get(last))),
        ...whilst(less(get(at), get(last)), [
          ...set(bits, orLong(get(bits), loadLong(get(at)))),
          ...set(at, add(get(at), i32(8))),
        ]),
      ]),
      ...when(
        not(notLong(andLong(get(bits), i64(ASCII)))),
        when(not(isUtf8(Message.subject)), wrong('the subject is not UTF-8')),
      ),
      ...when(
        get(Message.reply + 1),
        when(not(or(get(Message.verdict), isUtf8(Message.reply))), wrong('the reply is not UTF-8')),
      ),
    ];
  }

  /** Makes a list or string of the guest's own of a part of the inbox; `here` without a call, for parts that most messages have. */
  private lowered(local: number, here: boolean): Code {
    const [to, from, at, last] = [Message.to, Message.from, Message.at, Message.last];
    const offset = subtract(get(local), get(Message.base));
    const copying = [
      ...set(from, offset),
      ...set(to, this.helpers.allocated(get(local + 1))),
      ...this.helpers.copied({ from, to, at, last, bytes: local + 1 }),
      ...set(local, get(to)),
    ];
    const called = set(local, this.helpers.call('lower', offset, get(local + 1)));
    // Nobody looks where nothing is.
    return when(get(local + 1), here ? copying : called, set(local, i32(1)));
  }

  /** `(bytes) -> i32`: a function that takes what is in the inbox, and accepts it or not. */
  private taking(name: string, lifted: LiftedFunction): AdapterFunction {
    const [bytes, result, value] = [0, 1, 2];
    const list = this.helpers.call('lower', subtract(this.helpers.word(ControlWord.inbox), this.control), get(bytes));
    return exported(
      name,
      [I32],
      [
        ...set(result, call(lifted.index, list, get(bytes))),
        ...this.either(result, [], set(value, i32(-1))),
        ...after(lifted, result),
        ...get(value),
      ],
      [I32, I32],
    );
  }

  /** `(keyBytes, valueBytes) -> i32`: an entry of a table, key and value one behind the other in the inbox. */
  private entry(lifted: LiftedFunction): AdapterFunction {
    const [keyBytes, valueBytes, result, value, key, text] = [0, 1, 2, 3, 4, 5];
    const inbox = this.helpers.word(ControlWord.inbox);
    const offset = (at: Code) => subtract(at, this.control);
    const isThere = not(negative(get(valueBytes)));
    const code = [
      ...when(not(this.helpers.call('isUtf8', inbox, get(keyBytes))), [
        ...this.refusal('the key is not UTF-8'),
        ...answer(i32(-1)),
      ]),
      ...set(key, this.helpers.call('lower', offset(inbox), get(keyBytes))),
      ...when(isThere, set(text, this.helpers.call('lower', offset(add(inbox, get(keyBytes))), get(valueBytes)))),
      ...set(result, call(lifted.index, get(key), get(keyBytes), isThere, get(text), get(valueBytes))),
      ...this.either(result, [], set(value, i32(-1))),
      ...after(lifted, result),
      ...get(value),
    ];
    return exported('weir_table', [I32, I32], code, [I32, I32, I32, I32]);
  }

  /** A function that answers effects. */
  private effectful(name: string, params: readonly number[], run: Code, lifted: LiftedFunction): AdapterFunction {
    const [result, value] = [params.length, params.length + 1];
    const effects = this.helpers.call('effects', load(get(result), RESULT.value), load(get(result), RESULT.valueBytes));
    return exported(
      name,
      params,
      [
        ...set(result, run),
        ...this.either(result, effects, set(value, i32(-1))),
        ...after(lifted, result),
        ...get(value),
      ],
      [I32, I32],
    );
  }

  private save(lifted: LiftedFunction): AdapterFunction {
    const [result, value] = [0, 1];
    const [at, bytes] = [load(get(result), RESULT.value), load(get(result), RESULT.valueBytes)];
    const needed = addLong(long(bytes), i64(BigInt(RECORD_HEAD_BYTES + 3)));
    const state = when(
      moreLong(needed, long(this.helpers.word(ControlWord.outboxCapacity))),
      // It finds no room: how much it is.
      set(value, and(bytes, i32(0x7fffffff))),
      this.helpers.call('record', i32(RecordKind.state), at, bytes),
    );
    return exported(
      'weir_save',
      [],
      [
        ...set(result, call(lifted.index)),
        ...this.either(result, state, set(value, i32(-1))),
        ...after(lifted, result),
        ...get(value),
      ],
      [I32, I32],
    );
  }

  /** For what reads a clock. */
  private setClock(ms: Code): Code {
    const { clockGlobal } = this.component;
    return clockGlobal === null ? [] : setGlobal(clockGlobal, ms);
  }

  /** A guest error in the adapter's own words. */
  private refusal(text: string): Code {
    const bytes = Buffer.alloc(TEXT_BYTES);
    const length = bytes.write(text);
    const at = add(this.control, i32(CONTROL_BYTES));
    const stores: number[] = [];
    for (let i = 0; i < length; i += 8) stores.push(...storeLong(at, i64(bytes.readBigInt64LE(i)), i));
    return [...stores, ...this.helpers.text(at, i32(length))];
  }

  /** Runs one or the other code by the result that the local points to. */
  private either(result: number, ok: Code, failed: Code): Code {
    const text = this.helpers.text(load(get(result), RESULT.value), load(get(result), RESULT.valueBytes));
    return [
      ...when(and(get(result), i32(3)), trap),
      ...cases(loadByte(get(result), RESULT.discriminant), [ok, [...text, ...failed]]),
    ];
  }
}

/** Gives back what the guest's answer lies in. */
function after({ post }: LiftedFunction, result: number): Code {
  return post === null ? [] : call(post, get(result));
}

function exported(
  name: string,
  params: readonly number[],
  code: Code,
  locals: readonly number[] = [],
): AdapterFunction {
  return { name, params, results: [I32], locals, code };
}
