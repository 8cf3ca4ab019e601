import type { Account } from '../broker/account.js';
import { StreamApi } from '../stream/api.js';
import { MemoryStreamStore } from '../stream/memory-store.js';
import { Streams } from '../stream/streams.js';
import type { ServerParts } from './server-parts.js';

/** One account's streams and what answers for them. */
interface AccountStreams {
  streams: Streams;
  api: StreamApi;
}

/** Streams as part of the server. */
export class JetStream {
  private readonly parts: ServerParts;
  private readonly random: () => number;
  private readonly accounts: AccountStreams[] = [];

  constructor(parts: ServerParts, random: () => number) {
    this.parts = parts;
    this.random = random;
  }

  /** Brings back what is on disk; from then on streams take messages and requests are answered. */
  async start(): Promise<void> {
    this.open(this.parts.account);
  }

  async stop(): Promise<void> {
    for (const { api } of this.accounts) api.close();
    await Promise.all(this.accounts.map(({ streams }) => streams.close()));
  }

  private open(broker: Account): void {
    const { clock, logger, options } = this.parts;
    const { domain, strict, memoryBytesMax, storeBytesMax, consumersMax } = options.streams;
    const { ackPendingMax, requestBatchMax, duplicateWindowMaxNs } = options.streams;
    const streams = new Streams({
      ...{ broker, clock, logger, domain, random: this.random },
      limits: {
        ...{ memoryBytesMax, storeBytesMax, consumersMax, ackPendingMax, requestBatchMax, duplicateWindowMaxNs },
        streamsMax: -1,
      },
      newStore: async () => new MemoryStreamStore(),
    });
    this.accounts.push({ streams, api: new StreamApi(streams, strict) });
  }
}
