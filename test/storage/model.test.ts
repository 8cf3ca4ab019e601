import { describe, test } from 'vitest';
import { MemoryLog } from '../../src/storage/memory-log.js';
import { newSeed, Random } from './random.js';
import { RandomOperations } from './random-operations.js';

const OPERATIONS = 50_000;

describe('random operations on a log and on a simple model of it', () => {
  test('memory', () => {
    const seed = newSeed();
    console.info(`seed ${seed}`);
    const operations = new RandomOperations(new Random(seed), (listener) => new MemoryLog(listener));
    for (let i = 0; i < OPERATIONS; i++) {
      operations.step();
      if (i % 1000 === 0) operations.compare();
    }
    operations.compare();
  });
});
