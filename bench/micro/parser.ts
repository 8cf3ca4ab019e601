import { takeFromArena } from '../../src/base/arena.js';
import type { Message } from '../../src/message/message.js';
import type { Operations } from '../../src/wire/nats/operations.js';
import { Parser } from '../../src/wire/nats/parser.js';
import type { MicroFigure } from '../micro.js';
import { kept, nsPerStep } from '../timing.js';

/** Bytes of one read of a busy connection, and the room in front that a listener leaves. */
const CHUNK_BYTES = 64 * 1024;
const HEADROOM_BYTES = 64 * 1024;
const MESSAGES = 500_000;

/** Operations that only look at publishes. */
export function publishSink(onPublish: (message: Message) => void): Operations {
  const ignore = () => {};
  return {
    onPublish,
    onSubscribe: ignore,
    onUnsubscribe: ignore,
    onConnect: ignore,
    onPing: ignore,
    onPong: ignore,
    onError: ignore,
    onViolation: (violation) => {
      throw new Error(`the benchmark's bytes break a rule: ${violation}`);
    },
  };
}

/** Chunks of whole messages, as a listener's read buffer holds them. */
export function chunkOf(line: string): { bytes: Uint8Array; start: number; end: number; messages: number } {
  const messages = Math.floor(CHUNK_BYTES / line.length);
  const bytes = takeFromArena(HEADROOM_BYTES + CHUNK_BYTES) ?? new Uint8Array(HEADROOM_BYTES + CHUNK_BYTES);
  const end = HEADROOM_BYTES + messages * line.length;
  bytes.set(Buffer.from(line.repeat(messages), 'latin1'), HEADROOM_BYTES);
  return { bytes, start: HEADROOM_BYTES, end, messages };
}

export function newParser(operations: Operations): Parser {
  return new Parser(operations, { controlLineBytesMax: 4096, payloadBytesMax: 1024 * 1024, headers: true });
}

function measure(line: string, cutBytes: number): number {
  const parser = newParser(publishSink((message) => (kept.value ^= message.subjectHash)));
  const { bytes, start, end, messages } = chunkOf(line);
  const chunks = Math.max(1, Math.round(MESSAGES / messages));
  return nsPerStep(chunks * messages, () => {
    for (let i = 0; i < chunks; i++) {
      if (cutBytes === 0) parser.parse(bytes, start, end);
      else for (let at = start; at < end; at += cutBytes) parser.parse(bytes, at, Math.min(end, at + cutBytes));
    }
  });
}

/** One message from bytes to `onPublish`. */
export async function benches(): Promise<MicroFigure[]> {
  const line = (bytes: number) => `PUB bench.subject ${bytes}\r\n${'x'.repeat(bytes)}\r\n`;
  const headers = 'NATS/1.0\r\nTrace-Id: 4bf92f3577b34da6\r\n\r\n';
  const withHeaders = `HPUB bench.subject ${headers.length} ${headers.length + 128}\r\n${headers}${'x'.repeat(128)}\r\n`;
  const request = `PUB service.echo _INBOX.4hFpQ2mZ8sLc.17 128\r\n${'x'.repeat(128)}\r\n`;
  return [
    ...[16, 128, 1024].map((bytes) => ({ name: `parse PUB, ${bytes} B`, ns: measure(line(bytes), 0) })),
    { name: 'parse PUB with a reply, 128 B', ns: measure(request, 0) },
    { name: 'parse HPUB, 128 B', ns: measure(withHeaders, 0) },
    {
      name: 'parse PUB, 128 B, chunks of 1,000 B',
      ns: measure(line(128), 1000),
      note: 'a message is cut at the end of each chunk',
    },
  ];
}
