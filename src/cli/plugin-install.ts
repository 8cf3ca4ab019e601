import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { Failure } from '../base/failure.js';
import type { VersionSnapshot } from '../host/snapshot.js';
import { callApi } from './api-client.js';
import { type ConnectionOptions, withOpenConnection } from './connection.js';
import { moduleFile } from './plugin-module.js';
import { checkTypedName } from './plugin-name.js';
import { printJson, printLine } from './print.js';

export interface InstallOptions extends ConnectionOptions {
  name?: string;
  json?: boolean;
}

export type InstalledVersion = VersionSnapshot & { plugin: string };

/** Room for the subject and the headers of a message that carries a piece. */
const HEAD_BYTES = 1024;
const PIECE_BYTES = 512 * 1024;

/** Installs a module under a name and answers its new version; in pieces when it is larger than a message may be. */
export function installModule(connection: NatsConnection, name: string, wasm: Uint8Array): Promise<InstalledVersion> {
  const payloadBytesMax = connection.info?.max_payload ?? 0;
  const sha256 = createHash('sha256').update(wasm).digest('hex');
  if (payloadBytesMax > 0 && wasm.length + HEAD_BYTES > payloadBytesMax) {
    return upload(connection, name, { wasm, sha256, pieceBytes: Math.min(PIECE_BYTES, payloadBytesMax - HEAD_BYTES) });
  }
  return callApi<InstalledVersion>(connection, `PLUGIN.INSTALL.${name}`, wasm, { 'Weir-Sha256': sha256 });
}

interface Pieces {
  wasm: Uint8Array;
  sha256: string;
  pieceBytes: number;
}

async function upload(connection: NatsConnection, name: string, pieces: Pieces): Promise<InstalledVersion> {
  const { wasm, sha256, pieceBytes } = pieces;
  if (pieceBytes <= 0) {
    throw new Failure(
      'module-size',
      `the server takes messages of ${connection.info?.max_payload} bytes at most: too few`,
    );
  }
  const announced = JSON.stringify({ bytes: wasm.length, sha256 });
  const { upload: id } = await callApi<{ upload: string }>(connection, `PLUGIN.UPLOAD.${name}`, announced);
  for (let at = 0; at < wasm.length; at += pieceBytes) {
    const piece = wasm.subarray(at, at + pieceBytes);
    await callApi(connection, `PLUGIN.CHUNK.${id}`, piece, { 'Weir-Offset': String(at) });
  }
  return callApi<InstalledVersion>(connection, `PLUGIN.COMMIT.${id}`);
}

/** Says which file a server refuses. */
function refusal(file: string, error: Error): Error {
  if (!(error instanceof Failure) || !/^(api|module)-/.test(error.code)) return error;
  return new Failure(error.code, `cannot install "${file}": ${error.message}`, { cause: error });
}

export async function install(source: string, options: InstallOptions): Promise<void> {
  const file = moduleFile(source);
  const name = options.name ?? basename(file).replace(/\.wasm$/, '');
  checkTypedName('plugin', name);
  const wasm = readFileSync(file);
  const installed = await withOpenConnection(options, (connection) => installModule(connection, name, wasm)).catch(
    (error: Error) => {
      throw refusal(file, error);
    },
  );
  if (options.json) printJson(installed);
  else
    printLine(`installed ${name} version ${installed.version} (${installed.bytes} bytes, sha256 ${installed.sha256})`);
}
