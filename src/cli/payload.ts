import { readFileSync } from 'node:fs';
import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import { describe } from '../base/failure.js';
import { isFilter, isLiteralSubject } from '../subject/subject.js';
import { UsageFailure } from './usage-failure.js';

/** Throws unless one can publish to the subject. */
export function checkSubject(subject: string): void {
  if (isLiteralSubject(subject)) return;
  throw new UsageFailure(
    'subject',
    `invalid subject "${subject}": expected tokens joined by ".", without white space and wildcards`,
  );
}

/** Throws unless one can subscribe to the subject. */
export function checkFilter(subject: string): void {
  if (isFilter(subject)) return;
  throw new UsageFailure(
    'subject',
    `invalid subject "${subject}": expected tokens joined by ".", without white space, ">" only at the end`,
  );
}

/** All of stdin. */
async function readStdin(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The payload of a command: its argument, or stdin when there is none (or it is `-`) and stdin is not a terminal. */
export async function readPayload(argument: string | undefined): Promise<Uint8Array> {
  if (argument === '-') return readStdin();
  if (argument !== undefined) return Buffer.from(argument);
  return process.stdin.isTTY ? new Uint8Array() : readStdin();
}

/** Headers from `Name: value` texts; undefined when there are none. */
export async function parseHeaders(texts: readonly string[]): Promise<MsgHdrs | undefined> {
  if (texts.length === 0) return undefined;
  const { headers } = await import('@nats-io/transport-node');
  const parsed = headers();
  for (const text of texts) {
    const colon = text.indexOf(':');
    if (colon <= 0) throw new UsageFailure('header', `invalid header "${text}": expected "Name: value"`);
    parsed.append(text.slice(0, colon).trim(), text.slice(colon + 1).trim());
  }
  return parsed;
}

function readText(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageFailure('file', `${option}: cannot read "${path}": ${describe(error)}`, { cause: error });
  }
}

/** A JSON value given on the command line: the text itself, or the content of a file when it begins with `@`. */
export function parseJsonArgument(option: string, text: string): unknown {
  const source = text.startsWith('@') ? readText(option, text.slice(1)) : text;
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new UsageFailure(
      'json',
      `${option}: expected JSON (or @file), found ${JSON.stringify(text)}: ${describe(error)}`,
    );
  }
}

/** Header lines as they travel, `Name: value`. */
export function headerLines(message: Msg): string[] {
  const { headers } = message;
  if (headers === undefined) return [];
  const status = headers.code > 0 ? [`Status: ${headers.code} ${headers.description}`.trimEnd()] : [];
  return [...status, ...headers.keys().flatMap((name) => headers.values(name).map((value) => `${name}: ${value}`))];
}

/** A message as JSON: `data` when the payload is valid UTF-8, else `data_base64`. */
export function messageJson(message: Msg): Record<string, unknown> {
  const bytes = Buffer.from(message.data.buffer, message.data.byteOffset, message.data.length);
  const text = bytes.toString('utf8');
  const { headers } = message;
  return {
    subject: message.subject,
    ...(message.reply ? { reply: message.reply } : {}),
    ...(headers && headers.code > 0 ? { status: headers.code, description: headers.description } : {}),
    ...(headers && headers.keys().length > 0
      ? { headers: Object.fromEntries(headers.keys().map((name) => [name, headers.values(name)])) }
      : {}),
    ...(Buffer.from(text, 'utf8').equals(bytes) ? { data: text } : { data_base64: bytes.toString('base64') }),
  };
}
