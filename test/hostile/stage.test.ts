import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stage } from './stage.js';

describe('the stage of these tests', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterAll(() => stage.close());

  it('notices when the event loop is blocked', async () => {
    const block = async () => {
      const endsMs = performance.now() + 20;
      while (performance.now() < endsMs);
    };
    await expect(stage.contained(block)).rejects.toThrow(/blocked for [12]\d\.\d ms/);
  });

  it('takes the quietest of several tries', async () => {
    let tries = 0;
    const calmsDown = async () => {
      const endsMs = performance.now() + (tries++ < 3 ? 20 : 0);
      while (performance.now() < endsMs);
      return tries;
    };
    expect(await stage.contained(calmsDown)).toBe(4);
  });
});
