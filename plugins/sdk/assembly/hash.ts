// Where to look for a text in a table. Eight bytes a step: a loop over bytes would cost more than the comparison that follows.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0x9fb2_1c65_1e98_df25;

/** A hash of bytes. May read 7 bytes behind them. */
export function hashOf(start: usize, bytes: usize): u32 {
  return <u32>(folded(start, bytes, SEED) >> 32);
}

/** The same with 64 bits that say more, for texts that are told apart by their hashes alone. */
export function fingerprintOf(start: usize, bytes: usize, seed: u64): u64 {
  return mixed(folded(start, bytes, seed), seed);
}

// @ts-ignore: decorator
@inline
function folded(start: usize, bytes: usize, seed: u64): u64 {
  let hash: u64 = seed ^ <u64>bytes;
  for (; bytes > 8; bytes -= 8) {
    hash = mixed(hash, load<u64>(start));
    start += 8;
  }
  // What lies behind the text is none of it.
  return mixed(hash, bytes == 0 ? 0 : load<u64>(start) << ((8 - <u64>bytes) << 3));
}

// @ts-ignore: decorator
@inline
function mixed(hash: u64, word: u64): u64 {
  const product = (hash ^ word) * FACTOR;
  return (product ^ (product >> 32)) * SEED;
}
