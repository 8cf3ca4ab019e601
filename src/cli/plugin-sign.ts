import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, Failure } from '../base/failure.js';
import { signedBytes, splitSignature, withSignature } from '../host/signature.js';
import { moduleFile } from './plugin-module.js';
import { printJson, printLine } from './print.js';

export interface SignOptions {
  key: string;
  out?: string;
  json?: boolean;
}

/** Signs a module with the seed in a file: its last section says who it was. */
export async function sign(source: string, options: SignOptions): Promise<void> {
  const file = moduleFile(source);
  const { fromSeed } = await import('@nats-io/nkeys');
  const pair = seedIn(options.key, fromSeed);
  const { module } = splitSignature(readFileSync(file));
  const key = pair.getPublicKey();
  const signature = Buffer.from(pair.sign(Uint8Array.from(signedBytes(module)))).toString('base64');
  pair.clear();
  const out = options.out ?? file;
  writeFileSync(out, withSignature(module, { key, signature }));
  if (options.json) printJson({ file: out, key });
  else printLine(`signed ${out} with ${key}`);
}

function seedIn<T>(file: string, fromSeed: (seed: Uint8Array) => T): T {
  try {
    const found = /^\s*(S[A-Z2-7]{57})\s*$/m.exec(readFileSync(file, 'utf8'))?.[1];
    if (found === undefined) throw new Error('there is no seed in it, a line that begins with "S"');
    return fromSeed(Uint8Array.from(Buffer.from(found, 'ascii')));
  } catch (error) {
    const text = `cannot use the key "${file}": ${describe(error)} (make one with: weir plugin key my.key)`;
    throw new Failure('key-file', text, { cause: error });
  }
}

/** Makes a key for signing. */
export async function makeKey(file: string, options: { json?: boolean }): Promise<void> {
  if (existsSync(file)) throw new Failure('key-file', `"${file}" is there already: expected the name of a new file`);
  const { createUser } = await import('@nats-io/nkeys');
  const pair = createUser();
  writeFileSync(file, `${Buffer.from(pair.getSeed()).toString('ascii')}\n`, { mode: 0o600 });
  const key = pair.getPublicKey();
  if (options.json) printJson({ file, key });
  else printLine(`wrote ${file}; for the configuration of servers: plugins { trusted_keys: ["${key}"] }`);
}
