import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { Failure } from '../base/failure.js';
import { budgetOf } from '../host/budgets.js';
import { readManifest } from '../host/manifest.js';
import { splitSignature } from '../host/signature.js';
import { MODULE_LIMITS, PAGE_BYTES } from '../sandbox/limits.js';
import { type PreparedModule, prepareModule } from '../sandbox/prepare.js';
import { buildFolder } from './plugin-build.js';
import { caseFilesOf } from './plugin-case-file.js';
import { type CaseResult, runCases } from './plugin-cases.js';
import { type PluginFolder, pluginFolderOrModule } from './plugin-folder.js';
import { moduleFile } from './plugin-module.js';
import { formatTable, microseconds, printJson, printLine, right } from './print.js';
import { exitCodes } from './usage-failure.js';

interface Options {
  json?: boolean;
}

function casesOf(folder: PluginFolder, prepared: PreparedModule): CaseResult[] {
  return caseFilesOf(folder.path).flatMap((file) =>
    runCases(prepared, file).map((result) => ({ ...result, name: `${basename(file)}: ${result.name}` })),
  );
}

interface Measured {
  what: string;
  used: number;
  limit: number;
}

/** Builds a plugin's folder and shows what it uses of each limit. */
export async function checkPlugin(typed: string, options: Options): Promise<void> {
  const folder = pluginFolderOrModule(typed);
  const { prepared, manifest } = await buildFolder(folder);
  const budget = budgetOf({}, manifest?.budget);
  const fuel = casesOf(folder, prepared).map((result) => result.fuel);
  const measured: Measured[] = [
    {
      what: 'module, bytes',
      used: prepared.bytes,
      limit: prepared.isComponent ? MODULE_LIMITS.componentBytes : MODULE_LIMITS.moduleBytes,
    },
    { what: 'memory at the start, bytes', used: prepared.memoryPages.min * PAGE_BYTES, limit: budget.memoryBytesMax },
    ...(fuel.length > 0
      ? [{ what: 'fuel of the dearest test case', used: Math.max(...fuel), limit: budget.fuelPerMessage }]
      : []),
  ];
  const over = measured.filter(({ used, limit }) => used > limit);
  if (options.json) printJson({ plugin: folder.name, measured, ok: over.length === 0 });
  else {
    const rows = measured.map(({ what, used, limit }) => [
      what,
      used.toLocaleString('en-US'),
      limit.toLocaleString('en-US'),
      `${((used / limit) * 100).toFixed(1)} %`,
    ]);
    printLine(formatTable(['LIMIT', ...right('USED', 'ALLOWED', 'SHARE')], rows));
  }
  if (over.length > 0) process.exitCode = exitCodes.failure;
}

/** Builds a plugin's folder and shows what each test case costs. */
export async function benchPlugin(typed: string, options: Options): Promise<void> {
  const folder = pluginFolderOrModule(typed);
  const { prepared } = await buildFolder(folder);
  const results = casesOf(folder, prepared).filter(({ ns }) => ns !== null);
  if (results.length === 0) {
    throw new Failure('cases', `there is nothing to time in "${typed}": expected files tests/*.json with messages`);
  }
  const rows = results.map(({ name, fuel, ns }) => ({ name, fuel, ns: Math.round(ns!) }));
  if (options.json) {
    printJson({ plugin: folder.name, results: rows });
    return;
  }
  const cells = rows.map(({ name, fuel, ns }) => [
    name,
    fuel,
    microseconds(ns),
    Math.round(1e9 / Math.max(ns, 1)).toLocaleString('en-US'),
  ]);
  printLine(formatTable(['CASE', ...right('FUEL', 'µs/CALL', 'CALLS/s')], cells));
}

/** Says what a module is, as a server would see it. */
export async function inspect(source: string, options: Options): Promise<void> {
  const file = moduleFile(source);
  const wasm = readFileSync(file);
  const prepared = prepareModule(wasm);
  const manifest = await readManifest(prepared.manifest);
  const signedBy = splitSignature(wasm).signature?.key ?? null;
  const { hasInit, hasTick, hasDrain, hasState, hasTable } = prepared;
  const hooks = Object.entries({ init: hasInit, tick: hasTick, drain: hasDrain, state: hasState, table: hasTable })
    .filter(([, has]) => has)
    .map(([name]) => name);
  const { min, max } = prepared.memoryPages;
  const found = {
    ...{ file, bytes: statSync(file).size, sha256: prepared.sha256, hooks },
    memory_bytes: { min: min * PAGE_BYTES, max: max * PAGE_BYTES },
    signed_by: signedBy,
    functions_named: prepared.functionNames.size,
    manifest,
  };
  if (options.json) {
    printJson(found);
    return;
  }
  printLine(`${file}: ${found.bytes} bytes, sha256 ${found.sha256}`);
  if (signedBy !== null) printLine(`says that it is signed by ${signedBy}`);
  printLine(`memory: ${found.memory_bytes.min} bytes at the start, at most ${found.memory_bytes.max}`);
  printLine(`hooks: ${hooks.join(', ') || 'none'}`);
  printLine(manifest === null ? 'no manifest' : `manifest: ${summaryOf(manifest)}`);
}

function summaryOf({ self_tests, ...rest }: NonNullable<Awaited<ReturnType<typeof readManifest>>>): string {
  return `${JSON.stringify(rest, null, 2)}\nself-tests: ${self_tests.length}`;
}
