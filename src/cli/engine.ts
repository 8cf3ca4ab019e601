import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's space for young objects at its first size. It would grow by 16 MiB with the first ten thousand connections and hardly shrink again, while
 * messages on their way make next to no objects: a larger space buys nothing (bench: memory per idle connection, 9.5 or 7.4 KB).
 */
export function keepYoungSpaceSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Lets V8 inline more into the functions that messages pass through. With the usual budget it differs from start to start which of them it inlines, and so
 * does the throughput; with this one it is a tenth higher with a plugin, a twentieth without (docs/adr/0021).
 */
export function inlineMore(): void {
  setFlagsFromString('--max-inlined-bytecode-size=920');
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=3000');
}

/**
 * What V8 is asked for in the edge profile, before anything large is loaded. Guests keep the code of the baseline compiler: the optimizing one leaves 1.5 MB
 * behind in the heaps of its threads, and at 10,000 messages a second its code saves no measurable time. Less is inlined into functions of our
 * own, and they have to be four times as busy before they are optimized, for the same reason (bench: edge).
 */
export function saveMemory(): void {
  keepYoungSpaceSmall();
  setFlagsFromString('--no-wasm-tier-up');
  setFlagsFromString('--no-wasm-dynamic-tiering');
  setFlagsFromString('--interrupt-budget=270000');
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=100');
}
