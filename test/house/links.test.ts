import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const folders = ['.', 'bench', 'docs', 'examples', 'plugins', 'src', 'test'];

function documentsIn(folder: string): string[] {
  const names = readdirSync(join(root, folder), { recursive: folder !== '.' }) as string[];
  return names.filter((name) => name.endsWith('.md')).map((name) => join(folder, name));
}

/** The anchors of a document's headings, as they are made on code hosting sites. */
function anchorsOf(file: string): string[] {
  const headings = readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, text]) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Why a link of a document leads nowhere; null when it leads somewhere, or out of the house. */
function problemOf(document: string, link: string): string | null {
  if (/^[a-z]+:/.test(link)) return null;
  const [path, anchor] = link.split('#');
  const file = path === '' ? join(root, document) : join(root, dirname(document), path);
  // Made by a run, and not part of the repository.
  if (!existsSync(file)) return file.endsWith('RESULTS.md') ? null : `there is no ${relative(root, file)}`;
  if (anchor === undefined || !file.endsWith('.md')) return null;
  return anchorsOf(file).includes(anchor) ? null : `${relative(root, file)} has no heading #${anchor}`;
}

test('links between documents lead somewhere', () => {
  const documents = folders.flatMap(documentsIn);
  expect(documents.length).toBeGreaterThan(20);
  const broken = documents.flatMap((document) => {
    const text = readFileSync(join(root, document), 'utf8').replace(/^```.*?^```/gms, '');
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link);
    return links.flatMap((link) => {
      const problem = problemOf(document, link);
      return problem === null ? [] : [`${document}: ${link}: ${problem}`];
    });
  });
  expect(broken).toEqual([]);
});
