import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Failure } from '../base/failure.js';
import { weirCommand } from './invocation.js';
import { packageFolder } from './package-info.js';
import { type PluginFolder, pluginFolder } from './plugin-folder.js';
import { checkTypedName } from './plugin-name.js';
import { printJson, printLine } from './print.js';
import { UsageFailure } from './usage-failure.js';

/** Folders of templates, by the language that a plugin is written in. */
const templates = { assemblyscript: 'template', 'javascript-component': 'template-javascript' } as const;
type Language = keyof typeof templates;

/** Where the template's files have the plugin's name. */
const namePlaceholder = /\{\{name\}\}/g;

function checkIsFree({ typed, path }: PluginFolder): void {
  if (!existsSync(path)) return;
  if (!statSync(path).isDirectory()) throw new Failure('folder-exists', `"${typed}" is a file: expected a new folder`);
  const [first] = readdirSync(path);
  if (first === undefined) return;
  throw new Failure('folder-exists', `"${typed}" is not empty, it has "${first}": expected a new or an empty folder`);
}

function templateFiles(template: string): string[] {
  return readdirSync(template, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(template, join(entry.parentPath, entry.name)))
    .sort();
}

function languageOf(typed: string): Language {
  if (Object.hasOwn(templates, typed)) return typed as Language;
  const known = Object.keys(templates).join(', ');
  throw new UsageFailure('language', `there is no template for the language "${typed}": expected ${known}`);
}

/** Copies the template, filling in the plugin's name; answers the files, relative to the folder. */
function copyTemplate({ path, name }: PluginFolder, language: Language): string[] {
  const template = join(packageFolder(), 'plugins', templates[language]);
  if (!existsSync(template))
    throw new Failure('template-missing', `this copy of Weir has no template: no "${template}"`);
  const files = templateFiles(template);
  for (const file of files) {
    const target = join(path, file);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, readFileSync(join(template, file), 'utf8').replace(namePlaceholder, name));
  }
  return files;
}

/** Makes a folder with a plugin that builds and passes its tests. */
export function createPlugin(typed: string, options: { json?: boolean; lang: string }): void {
  const folder = pluginFolder(typed);
  checkTypedName('plugin', folder.name);
  checkIsFree(folder);
  const language = languageOf(options.lang);
  const files = copyTemplate(folder, language);
  if (options.json) {
    printJson({ plugin: folder.name, folder: folder.path, files });
    return;
  }
  printLine(`made plugin ${folder.name} in ${typed}: ${files.join(', ')}`);
  printLine('\nNext:');
  if (language === 'javascript-component') printLine(`  (cd ${typed} && npm install)`);
  for (const step of ['build', 'test', 'install']) printLine(`  ${weirCommand()} plugin ${step} ${typed}`);
  const tier = language === 'javascript-component' ? ' --tier worker --metering off' : '';
  printLine(`  ${weirCommand()} plugin attach ${folder.name} 'your.subject.>'${tier}`);
}
