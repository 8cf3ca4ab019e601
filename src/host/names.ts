import { Failure } from '../base/failure.js';

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Whether the text names a plugin or attachment: it becomes a subject token. */
export function checkName(what: string, name: string): void {
  if (NAME.test(name)) return;
  throw new Failure(
    'name-invalid',
    `${what} ${JSON.stringify(name)}: expected 1 to 64 letters, digits, "_" or "-", the first a letter or digit`,
  );
}
