import { basename } from 'node:path';
import { Failure } from '../base/failure.js';
import { buildFolder } from './plugin-build.js';
import { caseFilesOf } from './plugin-case-file.js';
import { type CaseResult, runCases } from './plugin-cases.js';
import { pluginFolderOrModule } from './plugin-folder.js';
import { microseconds, printJson, printLine } from './print.js';
import { exitCodes } from './usage-failure.js';

interface FileResult extends CaseResult {
  file: string;
}

/** Builds a plugin's folder and runs the cases of its `tests/*.json`, on the broker's own engine. */
export async function testPlugin(typed: string, options: { json?: boolean }): Promise<void> {
  const folder = pluginFolderOrModule(typed);
  const { prepared } = await buildFolder(folder);
  const files = caseFilesOf(folder.path);
  if (files.length === 0) {
    throw new Failure('cases', `there are no test cases in "${typed}": expected files tests/*.json`);
  }
  const results = files.flatMap((file) =>
    runCases(prepared, file).map((result) => ({ file: basename(file), ...result })),
  );
  const failed = results.filter(({ difference }) => difference !== null).length;
  const rounded = results.map((result) => ({ ...result, ns: result.ns === null ? null : Math.round(result.ns) }));
  if (options.json) printJson({ plugin: folder.name, passed: results.length - failed, failed, results: rounded });
  else show(results, failed);
  if (failed > 0) process.exitCode = exitCodes.failure;
}

function cost({ fuel, ns }: CaseResult): string {
  if (fuel === 0) return '';
  const time = ns === null ? '' : `, ${microseconds(ns)} µs`;
  return `  (${fuel.toLocaleString('en-US')} fuel${time})`;
}

function show(results: readonly FileResult[], failed: number): void {
  for (const result of results) {
    const { file, name, difference } = result;
    printLine(`${difference === null ? 'ok  ' : 'FAIL'}  ${file}: ${name}${cost(result)}`);
    if (difference !== null) printLine(`      ${difference}`);
  }
  printLine(`${results.length - failed} passed, ${failed} failed`);
}
