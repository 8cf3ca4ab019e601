import type { Stream } from '../stream/stream.js';
import type { JetStreamSnapshot } from './streams-snapshot.js';

/** What is wrong with streams. */
export interface StreamProblem {
  status: 404 | 503;
  type: 'ACCOUNT' | 'STREAM' | 'CONSUMER';
  account: string;
  stream?: string;
  consumer?: string;
  text: string;
}

/** Names that a health check may be about; '' is all. */
export interface StreamQuestion {
  account: string;
  stream: string;
  consumer: string;
}

/** Looks for what was asked about, and whether streams can read and write; null when all is well. */
export function streamProblem({ accounts }: JetStreamSnapshot, question: StreamQuestion): StreamProblem | null {
  const { account, stream: name, consumer } = question;
  const found = account === '' ? accounts : accounts.filter(({ streams }) => streams.broker.name === account);
  if (account !== '' && found.length === 0)
    return { status: 404, type: 'ACCOUNT', account, text: `JetStream account ${quoted(account)} not found` };
  if (name !== '') {
    const stream = found[0].streams.find(name);
    const of = `on account ${quoted(account)}`;
    if (stream === undefined)
      return {
        ...{ status: 404, type: 'STREAM', account, stream: name },
        text: `JetStream stream ${quoted(name)} not found ${of}`,
      };
    if (consumer !== '' && !stream.consumers.has(consumer))
      return {
        ...{ status: 404, type: 'CONSUMER', account, stream: name, consumer },
        text: `JetStream consumer ${quoted(consumer)} not found for stream ${quoted(name)} ${of}`,
      };
    return illness(stream, account);
  }
  for (const { streams } of found)
    for (const stream of streams.all()) {
      const ill = illness(stream, streams.broker.name);
      if (ill !== null) return ill;
    }
  return null;
}

function illness({ name, log }: Stream, account: string): StreamProblem | null {
  const about = `JetStream stream ${quoted(`${account} > ${name}`)}`;
  const problem = { status: 503, type: 'STREAM', account, stream: name } as const;
  if (log.trouble !== null) return { ...problem, text: `${about} cannot write: ${log.trouble.message}` };
  const [damage] = log.damages;
  if (damage === undefined) return null;
  const { file, offset, bytes, firstSequence, lastSequence } = damage;
  const lost = firstSequence > lastSequence ? 'no message' : `messages ${firstSequence} to ${lastSequence}`;
  return { ...problem, text: `${about}: ${bytes} bytes at ${offset} of ${file} are unreadable, ${lost} lost` };
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
