import type { NatsConnection } from '@nats-io/transport-node';
import type { AttachmentSnapshot } from '../../host/snapshot.js';
import { listAttachments } from '../plugin-list.js';
import { watchedFilter, weatherSubject } from './steps.js';
import type { WeatherReading } from './weather-feed.js';

/** What became of one reading. */
export interface Outcome {
  before: string;
  /** As subscribers got it; null when a plugin dropped it. */
  after: string | null;
  /** The attachment that dropped it. */
  droppedBy: string | null;
  /** Fuel units over the whole chain. */
  fuel: number;
}

/** Messages that are sent between two round trips to the broker, so that none of them waits in memory for long. */
const burstMessages = 250;

function fuelOf(attachments: readonly AttachmentSnapshot[]): number {
  return attachments.reduce((sum, { counters }) => sum + counters.fuel, 0);
}

/** Publishes readings on one connection and watches what arrives on another, as any publisher and subscriber would. */
export class Feed {
  published = 0;
  delivered = 0;
  private readonly publisher: NatsConnection;
  private readonly subscriber: NatsConnection;
  private readonly readings: readonly WeatherReading[];
  private lastDelivered: string | null = null;

  constructor(publisher: NatsConnection, subscriber: NatsConnection, readings: readonly WeatherReading[]) {
    this.publisher = publisher;
    this.subscriber = subscriber;
    this.readings = readings;
  }

  /** Starts watching. `byHand` hears of messages that are not of this feed. */
  watch(byHand: (subject: string, payload: string) => void): Promise<void> {
    this.subscriber.subscribe(watchedFilter, {
      callback: (_error, message) => {
        if (message.subject !== weatherSubject) {
          byHand(message.subject, message.string());
          return;
        }
        this.delivered++;
        this.lastDelivered = message.string();
      },
    });
    return this.subscriber.flush();
  }

  attachments(): Promise<AttachmentSnapshot[]> {
    return listAttachments(this.publisher);
  }

  /** Publishes the next reading and looks what became of it. */
  async one(): Promise<Outcome> {
    const earlier = await this.attachments();
    const before = this.nextPayload();
    this.lastDelivered = null;
    this.publisher.publish(weatherSubject, before);
    await this.settle();
    const later = await this.attachments();
    const dropper = later.find(
      ({ name, counters }) => counters.dropped > (earlier.find((found) => found.name === name)?.counters.dropped ?? 0),
    );
    const after = this.lastDelivered;
    const droppedBy = after === null ? (dropper?.name ?? null) : null;
    return { before, after, droppedBy, fuel: fuelOf(later) - fuelOf(earlier) };
  }

  /** Publishes readings as fast as they go; answers the milliseconds until the last had its way. */
  async burst(count: number): Promise<number> {
    const startedMs = performance.now();
    for (let sent = 0; sent < count; sent++) {
      this.publisher.publish(weatherSubject, this.nextPayload());
      if (sent % burstMessages === burstMessages - 1) await this.publisher.flush();
    }
    await this.settle();
    return performance.now() - startedMs;
  }

  private nextPayload(): string {
    return JSON.stringify(this.readings[this.published++ % this.readings.length]);
  }

  /** The broker answers a connection in order: what it published is routed by then, and what is for it has arrived. */
  private async settle(): Promise<void> {
    await this.publisher.flush();
    await this.subscriber.flush();
  }
}
