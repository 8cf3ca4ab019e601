import { MemoryLog } from '../storage/memory-log.js';
import type { LogListener, MessageLog } from '../storage/message-log.js';
import type { StreamStore } from './stream-store.js';

/** Keeps nothing beyond the life of the process. */
export class MemoryStreamStore implements StreamStore {
  async openLog(listener: LogListener): Promise<MessageLog> {
    return new MemoryLog(listener);
  }

  async readMarks(): Promise<null> {
    return null;
  }

  watchMarks(): void {}

  touchMarks(): void {}

  async flushMarks(): Promise<void> {}

  async noteSweep(): Promise<void> {}

  async endSweep(): Promise<void> {}

  async saveConfig(): Promise<void> {}

  async saveConsumer(): Promise<void> {}

  watch(): void {}

  async removeConsumer(): Promise<void> {}

  touch(): void {}

  async flush(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {}

  async forget(): Promise<void> {}

  async delete(): Promise<void> {}
}
