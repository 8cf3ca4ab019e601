import { checkName } from '../host/names.js';
import { UsageFailure } from './usage-failure.js';

/** Throws unless the name can be a plugin's or an attachment's: it becomes a word of the request's subject. */
export function checkTypedName(what: 'plugin' | 'attachment', name: string): void {
  try {
    checkName(what, name);
  } catch (error) {
    throw new UsageFailure(`${what}-name`, (error as Error).message, { cause: error });
  }
}
