import { dirname, isAbsolute, join } from 'node:path';
import { describe, Failure } from '../base/failure.js';
import { settleAccounts } from './accounts-check.js';
import { applyArguments } from './apply-arguments.js';
import type { Arguments } from './arguments.js';
import { digestOf } from './digest.js';
import type { Draft } from './draft.js';
import { parseConfig } from './grammar.js';
import { readBlock } from './key-table.js';
import { settleOperator } from './operator-block.js';
import { emptyOperator } from './operator-draft.js';
import { defaultOptions, EDGE_PENDING_BYTES_MAX, type Options } from './options.js';
import { settleAttachments } from './plugins-block.js';
import { TOP_LEVEL } from './top-level.js';
import { whyInvalid } from './validate.js';
import { settleWebSocketLogin } from './websocket-block.js';

export interface LoadInputs {
  arguments: Arguments;
  env: Record<string, string | undefined>;
  readFile(path: string): string;
}

/** File, then command line: what the command line says wins. Rejects with a `Failure` that says where the mistake is. */
export async function loadOptions({ arguments: given, env, readFile }: LoadInputs): Promise<Options> {
  const draft: Draft = {
    options: defaultOptions(),
    readFile,
    attachments: [],
    authTimeoutSet: false,
    pendingSet: false,
    busyPollSet: false,
    authorizationSet: false,
    operator: emptyOperator(),
    systemAccountSet: false,
    jwtCookiePlace: null,
    accounts: [],
    mappings: [],
    usersListed: false,
    websocketLogin: { user: '', password: '', token: '' },
  };
  const file = given.values.config;
  if (file !== undefined) readConfigFile(draft, file, env);
  applyArguments(draft, given);
  settleTimeouts(draft);
  settleEdge(draft);
  settleOperator(draft);
  settleAccounts(draft);
  await settleAttachments(draft);
  const mistake = settleWebSocketLogin(draft) ?? whyInvalid(draft);
  if (mistake !== null) throw new Failure('config-invalid', mistake);
  return draft.options;
}

/** A TLS handshake takes a part of the time to log in. */
function settleTimeouts({ options, authTimeoutSet }: Draft): void {
  if (!authTimeoutSet && options.tls !== null) options.authTimeoutMs = options.tls.timeoutMs + 1_000;
}

/** On a small device the default of 64 MB for a single client would be all there is, and power is dear. */
function settleEdge({ options, pendingSet, busyPollSet }: Draft): void {
  if (options.edge && !busyPollSet) options.busyPollMs = 0;
  if (options.edge && !pendingSet) options.pendingBytesMax = Math.max(EDGE_PENDING_BYTES_MAX, options.payloadBytesMax);
}

function readConfigFile(draft: Draft, file: string, env: LoadInputs['env']): void {
  const { options, readFile } = draft;
  let source: string;
  try {
    source = readFile(file);
  } catch (error) {
    throw new Failure('config-unreadable', `open ${file}: ${reasonOf(error)}`, { cause: error });
  }
  const resolve = (from: string, path: string) => (isAbsolute(path) ? path : join(dirname(from), path));
  const document = parseConfig(source, file, { readFile, resolve, env });
  readBlock(document, TOP_LEVEL, draft);
  options.plugins.modules = options.plugins.modules.map(({ name, file: path }) => ({
    name,
    file: resolve(file, path),
  }));
  options.configFile = file;
  options.configDigest = digestOf(document);
}

/** The reasons that people know from nats-server; anything else as the system says it. */
const REASONS: Record<string, string> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
};

function reasonOf(error: unknown): string {
  return REASONS[(error as NodeJS.ErrnoException).code ?? ''] ?? describe(error);
}
