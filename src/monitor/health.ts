import { booleanOf } from './query.js';
import type { MonitorSource } from './snapshots.js';

export interface Health {
  status: 200 | 400 | 500 | 503;
  body: object;
}

interface Problem {
  status: Health['status'];
  /** What `status` says without details. */
  state: 'error' | 'unavailable';
  type: 'BAD_REQUEST' | 'CONNECTION' | 'JETSTREAM';
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
  const { status, state, type, text } = problem;
  const body = details ? { status: 'error', errors: [{ type, error: text }] } : { status: state, error: text };
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
  return { status: 503, state: 'unavailable', type: 'JETSTREAM', text: 'JetStream not enabled' };
}
