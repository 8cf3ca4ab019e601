import type { PayloadPlan, PublisherOrder, SubjectPlan, SubscriberOrder, Wire } from './orders.js';

/** Bytes of one write: what a busy client's buffer holds when it is flushed. */
const CHUNK_BYTES = 64 * 1024;
/** Numbers have one width, so that every message of a run has the same length and bytes can be counted instead of parsed. */
const DIGITS = 7;
const HEADERS =
  'NATS/1.0\r\nContent-Type: application/json\r\nTrace-Id: 4bf92f3577b34da6\r\nSource: gateway-17\r\n\r\n';
/** What a subscription id starts at when a connection has several: all then have the same width. */
const FIRST_SID = 1_000_000;

/** A message's line as far as its subject: what follows is its reply subject, if any, and its length. */
export function lineStart(wire: Wire, subject: string): string {
  return wire === 'published' ? `PUB ${subject}` : `MSG ${subject} 1`;
}

/** A batch ready to be written. */
export interface Chunk {
  bytes: Buffer;
  messages: number;
}

export function subjectOf(plan: SubjectPlan, index: number): string {
  if (plan.count === 0) return plan.prefix + plan.suffix;
  const number = (plan.first ?? 0) + (index % plan.count) * (plan.step ?? 1);
  return plan.prefix + String(number).padStart(DIGITS, '0') + plan.suffix;
}

export function payloadOf(plan: PayloadPlan, index: number): string {
  if (plan.kind === 'bytes') return 'x'.repeat(plan.bytes);
  const value = plan.values[index % plan.values.length].toFixed(2).padStart(6, ' ');
  const head = `{"sensor":"line-4/oven-17","unit":"celsius","value":${value},"at":1764028800123,"pad":"`;
  return `${head}${'x'.repeat(plan.bytes - head.length - 2)}"}`;
}

/** Encodes every different message of one connection once, in batches that a publisher writes over and over. */
export function encodeChunks(order: PublisherOrder, connection: number): Chunk[] {
  const { subjects, payload } = order;
  const encode = (index: number) =>
    encodeMessage(order, subjectOf(subjects, order.subjectEach ? connection : index), payloadOf(payload, index));
  const cycle = Math.max(
    1,
    order.subjectEach ? 0 : subjects.count,
    payload.kind === 'json' ? payload.values.length : 1,
  );
  const batch = Math.max(1, Math.floor(CHUNK_BYTES / encode(0).length));
  // Whole cycles only, so that each message comes as often as any other.
  const total = cycle < batch ? batch - (batch % cycle) : cycle;
  const chunks: Chunk[] = [];
  for (let first = 0; first < total; first += batch) {
    const messages = Math.min(batch, total - first);
    const texts = Array.from({ length: messages }, (_, i) => encode(first + i));
    chunks.push({ bytes: Buffer.from(texts.join(''), 'latin1'), messages });
  }
  return chunks;
}

function encodeMessage({ wire, headers }: PublisherOrder, subject: string, payload: string): string {
  if (!headers) return `${lineStart(wire, subject)} ${payload.length}\r\n${payload}\r\n`;
  return `HPUB ${subject} ${HEADERS.length} ${HEADERS.length + payload.length}\r\n${HEADERS}${payload}\r\n`;
}

/** SUB lines of one connection. */
export function encodeSubscriptions(order: SubscriberOrder, connection: number): string {
  const lines: string[] = [];
  const queue = order.queue === '' ? '' : `${order.queue} `;
  let sid = firstSid(order);
  for (const plan of order.filters) {
    for (let index = 0; index < Math.max(1, plan.count); index++) {
      if (order.deal && index % order.connections !== connection) continue;
      lines.push(`SUB ${subjectOf(plan, index)} ${queue}${sid++}\r\n`);
    }
  }
  return lines.join('');
}

/** Length of one delivery to a subscriber. */
export function deliveryBytes(order: SubscriberOrder): number {
  const { sampleSubject, payloadBytes } = order;
  const sid = firstSid(order);
  if (!order.headers) return `MSG ${sampleSubject} ${sid} ${payloadBytes}\r\n`.length + payloadBytes + 2;
  const total = HEADERS.length + payloadBytes;
  return `HMSG ${sampleSubject} ${sid} ${HEADERS.length} ${total}\r\n`.length + total + 2;
}

function firstSid(order: SubscriberOrder): number {
  return order.filters.length > 1 || order.filters[0].count > 0 ? FIRST_SID : 1;
}
