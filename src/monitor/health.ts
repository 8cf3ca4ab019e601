import { booleanOf } from './query.js';
import type { MonitorSource } from './snapshots.js';
import { type StreamProblem, type StreamQuestion, streamProblem } from './stream-health.js';

export interface Health {
  status: 200 | 400 | 404 | 500 | 503;
  body: object;
}

interface Problem {
  status: Health['status'];
  /** What `status` says without details. */
  state: 'error' | 'unavailable';
  type: 'BAD_REQUEST' | 'CONNECTION' | 'JETSTREAM' | StreamProblem['type'];
  /** Whom it is about. */
  about?: Partial<StreamQuestion>;
  text: string;
}

/** `/healthz`: whether clients can come in, and whether what the configuration asks for is there. */
export function health(source: MonitorSource, query: URLSearchParams): Health {
  const details = booleanOf(query, 'details');
  booleanOf(query, 'js-enabled');
  booleanOf(query, 'js-enabled-only');
  booleanOf(query, 'js-meta-only');
  const serverOnly = booleanOf(query, 'js-server-only');
  const problem = whyIll(source, query, serverOnly);
  if (problem === null) return { status: 200, body: { status: 'ok' } };
  const { status, state, type, about, text } = problem;
  const body = details
    ? { status: 'error', errors: [{ type, ...about, error: text }] }
    : { status: state, error: text };
  return { status, body };
}

function whyIll(source: MonitorSource, query: URLSearchParams, serverOnly: boolean): Problem | null {
  const given = (name: string) => (query.get(name) ?? '') !== '';
  const missing = (name: string, what: string): Problem => ({
    status: 400,
    state: 'error',
    type: 'BAD_REQUEST',
    text: `${JSON.stringify(name)} must not be empty when checking ${what} health`,
  });
  if (given('stream') && !given('account')) return missing('account', 'stream');
  if (given('consumer') && !given('stream')) return missing('stream', 'consumer');
  const { lameDuck, jetstreamWanted } = source.server();
  if (lameDuck)
    return { status: 500, state: 'error', type: 'CONNECTION', text: 'the server is in lame duck mode: no new clients' };
  if (!jetstreamWanted || serverOnly) return null;
  const jetstream = source.jetstream();
  if (jetstream === null)
    return { status: 503, state: 'unavailable', type: 'JETSTREAM', text: 'JetStream not enabled' };
  const named = (name: string) => query.get(name) ?? '';
  const question = { account: named('account'), stream: named('stream'), consumer: named('consumer') };
  const problem = streamProblem(jetstream, question);
  if (problem === null) return null;
  const { status, type, text, account, stream, consumer } = problem;
  const about = { account, ...(stream && { stream }), ...(consumer && { consumer }) };
  return { status, state: 'unavailable', type, about, text };
}
