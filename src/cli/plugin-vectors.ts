import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DEFAULT_BUDGET } from '../sandbox/budget.js';
import type { PreparedModule } from '../sandbox/prepare.js';
import { outcomeOf, type SelfTest } from '../sandbox/self-test.js';
import { packageFolder } from './package-info.js';
import { type Case, type CaseMessage, caseFilesOf, readCases } from './plugin-case-file.js';
import type { PluginFolder } from './plugin-folder.js';

const VECTORS_MAX = 32;
const VECTOR_BYTES_MAX = 4096;

/** What the module makes of the messages of `tests/*.json` here and now: a server that installs it makes sure that it does the same there. */
export function vectorsOf(prepared: PreparedModule, folder: string): SelfTest[] {
  const vectors: SelfTest[] = [];
  for (const file of caseFilesOf(folder)) {
    const read = readCases(file);
    // At install time there is no table.
    const cases: readonly Case[] = 'cases' in read && read.table === undefined ? read.cases : [];
    for (const one of cases) {
      if (vectors.length === VECTORS_MAX || !('message' in one)) continue;
      const { name, message, before } = one;
      // At install time the time stands still, and nothing came before.
      if (message.timestamp !== undefined || before !== undefined) continue;
      const vector = { name: `${basename(file)}: ${name}`, config: read.config, message: partsOf(message) };
      const expect = outcomeOf(prepared, DEFAULT_BUDGET, vector);
      if (JSON.stringify({ ...vector, expect }).length <= VECTOR_BYTES_MAX) vectors.push({ ...vector, expect });
    }
  }
  return vectors;
}

function partsOf({ subject = 'test', reply, headers, payload, payloadBase64 }: CaseMessage): SelfTest['message'] {
  const lines = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = typeof payload === 'string' || payload === undefined ? payload : JSON.stringify(payload);
  return {
    subject,
    ...(reply !== undefined && { reply }),
    ...(headers !== undefined && { headers: `NATS/1.0\r\n${lines.join('')}\r\n` }),
    ...(payloadBase64 === undefined ? text !== undefined && { payload: text } : { payload: `base64:${payloadBase64}` }),
  };
}

type AppendSection = (wasm: Uint8Array, manifest: object) => Uint8Array;
type SplitManifest = (wasm: Uint8Array) => { wasm: Uint8Array; manifest: object };

/** Adds the vectors to the manifest of a module that was just built. Answers how many there are. */
export async function embedVectors(prepared: PreparedModule, folder: PluginFolder): Promise<number> {
  const vectors = vectorsOf(prepared, folder.path);
  if (vectors.length === 0) return 0;
  const script = pathToFileURL(join(packageFolder(), 'plugins', 'build', 'manifest.mjs'));
  const { appendSection, splitManifest }: { appendSection: AppendSection; splitManifest: SplitManifest } = await import(
    script.href
  );
  const { wasm, manifest } = splitManifest(readFileSync(folder.moduleFile));
  writeFileSync(folder.moduleFile, appendSection(wasm, { ...manifest, self_tests: vectors }));
  return vectors.length;
}
