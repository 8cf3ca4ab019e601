// Puts a finished build into `dist/` while others run from it, or build into it at the same time.
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Chunks have a digest of their contents in their names: those of two builds are never the same file. */
const HASHED = /-[A-Z0-9]{8}\.js(\.map)?$/;
/** What a running process may still load lazily, or another build is about to put in place, stays this long. */
const KEPT_MS = 60 * 60 * 1000;

/**
 * `dist/`, file by file: each is written aside and renamed, chunks before the entries that import them. At any moment, every entry is whole and
 * finds its chunks; of two builds at once, the last wins.
 */
export class Dist {
  #folder;
  #startedMs;
  #clean;

  /** With `clean`, nothing of earlier builds stays, whoever may run from it. */
  constructor(folder, { startedMs, clean }) {
    this.#folder = folder;
    this.#startedMs = startedMs;
    this.#clean = clean;
  }

  /** Puts the files of a part (contents by path), a folder of `dist/`, in place, removes what it had before, and stamps it. */
  place(part, files) {
    const folder = join(this.#folder, part);
    mkdirSync(folder, { recursive: true });
    const names = [...files.keys()].sort((a, b) => Number(HASHED.test(b)) - Number(HASHED.test(a)));
    for (const name of names) write(join(folder, name), files.get(name));
    // The other parts are folders of '.', which has none itself.
    for (const name of readdirSync(folder, { recursive: part !== '.' })) this.#sweep(join(folder, name), name, files);
    // The stamp's time is when the build began to read sources: what was changed since is newer.
    const stamp = join(folder, '.built');
    write(stamp, '');
    utimesSync(stamp, new Date(this.#startedMs), new Date(this.#startedMs));
  }

  #sweep(path, name, files) {
    if (files.has(name) || name === '.built') return;
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found?.isFile()) return;
    const isKept = (HASHED.test(name) && !this.#clean) || name.endsWith('.tmp');
    if (!isKept || Date.now() - found.mtimeMs > KEPT_MS) rmSync(path, { force: true });
  }
}

function write(path, contents) {
  mkdirSync(dirname(path), { recursive: true });
  const made = `${path}.${process.pid}.tmp`;
  writeFileSync(made, contents);
  renameSync(made, path);
}
