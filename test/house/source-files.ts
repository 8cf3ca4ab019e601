import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const sourceFolder = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'src');

export interface SourceFunction {
  name: string;
  lines: number;
  parameters: number;
}

/** One TypeScript file of `src/`; paths are relative to it. */
export interface SourceFile {
  path: string;
  /** The first folder; '' for a file of `src/` itself. */
  room: string;
  lines: number;
  /** Paths of the files of `src/` that it imports, types and dynamic imports included. */
  imports: string[];
  functions: SourceFunction[];
}

export function readSourceFiles(): SourceFile[] {
  return readdirSync(sourceFolder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => readSourceFile(join(entry.parentPath, entry.name)));
}

function readSourceFile(file: string): SourceFile {
  const path = relative(sourceFolder, file);
  const text = readFileSync(file, 'utf8');
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: SourceFile = {
    path,
    room: path.includes('/') ? path.slice(0, path.indexOf('/')) : '',
    lines: text.split('\n').length - 1,
    imports: [],
    functions: [],
  };
  visit(tree, tree, found);
  return found;
}

function visit(node: ts.Node, tree: ts.SourceFile, found: SourceFile): void {
  const specifier = importOf(node);
  if (specifier?.startsWith('.')) {
    found.imports.push(join(dirname(found.path), specifier).replace(/\.js$/, '.ts'));
  }
  if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
    const lineOf = (at: number) => tree.getLineAndCharacterOfPosition(at).line;
    found.functions.push({
      name: node.name?.getText(tree) ?? (ts.isConstructorDeclaration(node) ? 'constructor' : '(anonymous)'),
      lines: lineOf(node.getEnd()) - lineOf(node.getStart(tree)) + 1,
      parameters: node.parameters.length,
    });
  }
  node.forEachChild((child) => visit(child, tree, found));
}

/** The module that a node imports: `import`, `export … from`, `import()`, `import('…').Type`. */
function importOf(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return textOf(node.moduleSpecifier);
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return textOf(node.arguments[0]);
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return textOf(node.argument.literal);
  return undefined;
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteral(node) ? node.text : undefined;
}
