import fc from 'fast-check';

/** Expressions and statements in the text format. Every program ends, and what it computes is in its memory and its verdict. */
export interface Program {
  /** Body of a function of two i32 that `weir_message` calls. */
  helper: string;
  /** Body of `weir_message` but for its verdict. */
  body: string;
}

/** Locals of `weir_message` behind its parameters; the helper has the same, at 2. */
export const PROGRAM_LOCALS =
  '(local $a i32) (local $b i32) (local $c i32) (local $x i64) (local $y f64) (local $n0 i32) (local $n1 i32) (local $n2 i32)';

/** Loops nest so deep; each level has a counter of its own. */
const DEPTH_MAX = 3;
/** Loads and stores stay in the page at this address. */
const SCRATCH = 0x8000;

const integer = fc.oneof(fc.integer({ min: -3, max: 40 }), fc.integer());

const { i32, i64, f64 } = fc.letrec<{ i32: string; i64: string; f64: string }>((tie) => ({
  i32: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    integer.map((value) => `(i32.const ${value})`),
    fc.constantFrom('(local.get $a)', '(local.get $b)', '(local.get $c)', '(global.get $g)', '(memory.size)'),
    fc
      .tuple(
        fc.constantFrom('add', 'sub', 'mul', 'and', 'or', 'xor', 'shl', 'shr_u', 'rotl', 'lt_s', 'eq'),
        tie('i32'),
        tie('i32'),
      )
      .map(([op, one, two]) => `(i32.${op} ${one} ${two})`),
    fc
      .tuple(fc.constantFrom('div_s', 'rem_u'), tie('i32'), tie('i32'))
      .map(([op, one, two]) => `(i32.${op} ${one} (i32.or ${two} (i32.const 1)))`),
    fc
      .tuple(fc.constantFrom('clz', 'ctz', 'popcnt', 'eqz', 'extend8_s'), tie('i32'))
      .map(([op, one]) => `(i32.${op} ${one})`),
    fc
      .tuple(fc.constantFrom('load', 'load8_u', 'load16_s'), tie('i32'))
      .map(([op, at]) => `(i32.${op} offset=${SCRATCH} (i32.and ${at} (i32.const 0xfff)))`),
    fc.tuple(tie('i32'), tie('i32'), tie('i32')).map(([one, two, which]) => `(select ${one} ${two} ${which})`),
    fc
      .tuple(tie('i32'), tie('i32'), tie('i32'))
      .map(([which, one, two]) => `(if (result i32) ${which} (then ${one}) (else ${two}))`),
    tie('i64').map((value) => `(i32.wrap_i64 ${value})`),
    tie('f64').map((value) => `(i32.trunc_sat_f64_s ${value})`),
    fc.tuple(tie('i32'), tie('i32')).map(([one, two]) => `(call $leaf ${one} ${two})`),
    fc
      .tuple(tie('i32'), tie('i32'), tie('i32'))
      .map(
        ([one, two, which]) =>
          `(call_indirect (param i32 i32) (result i32) ${one} ${two} (i32.and ${which} (i32.const 1)))`,
      ),
    tie('i32').map(
      (value) => `(i32x4.extract_lane 2 (i32x4.add (i32x4.splat ${value}) (v128.load (i32.const ${SCRATCH}))))`,
    ),
  ),
  i64: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.bigInt({ min: -5n, max: 1n << 62n }).map((value) => `(i64.const ${value})`),
    fc.constant('(local.get $x)'),
    fc
      .tuple(fc.constantFrom('add', 'mul', 'xor', 'shr_s'), tie('i64'), tie('i64'))
      .map(([op, one, two]) => `(i64.${op} ${one} ${two})`),
    tie('i32').map((value) => `(i64.extend_i32_s ${value})`),
  ),
  f64: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => `(f64.const ${value})`),
    fc.constant('(local.get $y)'),
    fc
      .tuple(fc.constantFrom('add', 'mul', 'div', 'max'), tie('f64'), tie('f64'))
      .map(([op, one, two]) => `(f64.${op} ${one} ${two})`),
    tie('f64').map((value) => `(f64.sqrt ${value})`),
    tie('i32').map((value) => `(f64.convert_i32_s ${value})`),
  ),
}));

const small = i32.map((at) => `(i32.add (i32.const ${SCRATCH}) (i32.and ${at} (i32.const 0x7ff)))`);
const short = i32.map((length) => `(i32.and ${length} (i32.const 63))`);
const i32Local = fc.constantFrom('$a', '$b', '$c');

const simple = fc.oneof(
  fc.tuple(i32Local, i32).map(([name, value]) => `(local.set ${name} ${value})`),
  i64.map((value) => `(local.set $x ${value})`),
  f64.map((value) => `(local.set $y ${value})`),
  i32.map((value) => `(global.set $g ${value})`),
  fc.tuple(fc.constantFrom('i32.store', 'i32.store8'), small, i32).map(([op, at, value]) => `(${op} ${at} ${value})`),
  fc.tuple(small, i64).map(([at, value]) => `(i64.store ${at} ${value})`),
  fc.tuple(small, i32, short).map(([at, value, length]) => `(memory.fill ${at} ${value} ${length})`),
  fc.tuple(small, small, short).map(([to, from, length]) => `(memory.copy ${to} ${from} ${length})`),
  fc.constant('(drop (memory.grow (i32.and (local.get $a) (i32.const 1))))'),
  fc.constant('(nop)'),
  // Now and then a program traps: both must.
  fc.constantFrom(
    '(if (i32.eq (local.get $a) (i32.const 77)) (then unreachable))',
    '(drop (i32.div_u (i32.const 1) (i32.and (local.get $b) (i32.const 31))))',
  ),
);

function statements(depth: number): fc.Arbitrary<string> {
  const one: fc.Arbitrary<string> =
    depth === DEPTH_MAX
      ? simple
      : fc.oneof({ weight: 4, arbitrary: simple }, { weight: 3, arbitrary: compound(depth) });
  return fc.array(one, { minLength: 1, maxLength: 4 }).map((list) => list.join('\n'));
}

function compound(depth: number): fc.Arbitrary<string> {
  const inner = statements(depth + 1);
  return fc.oneof(
    fc.tuple(i32, inner, inner).map(([which, yes, no]) => `(if ${which} (then ${yes}) (else ${no}))`),
    fc.tuple(i32, inner).map(([which, yes]) => `(if ${which} (then ${yes}))`),
    fc.tuple(inner, i32, inner).map(([first, leave, second]) => `(block ${first} (br_if 0 ${leave}) ${second})`),
    fc
      .tuple(i32, inner, inner)
      .map(([which, one, two]) => `(block (block (block (br_table 0 1 2 1 ${which})) ${one} (br 1)) ${two})`),
    fc.tuple(fc.integer({ min: 1, max: 12 }), inner, i32).map(
      ([rounds, body, again]) => `(local.set $n${depth} (i32.const ${rounds}))
        (loop ${body} (local.set $n${depth} (i32.sub (local.get $n${depth}) (i32.const 1)))
          (br_if 0 (i32.and (i32.gt_s (local.get $n${depth}) (i32.const 0)) (i32.or ${again} (i32.const 1)))))`,
    ),
    fc.tuple(inner, i32).map(([body, leave]) => `(block (loop ${body} (br_if 1 ${leave})))`),
  );
}

export const program: fc.Arbitrary<Program> = fc.record({ helper: i32, body: statements(0) });
