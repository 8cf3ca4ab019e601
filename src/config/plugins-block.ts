import { describe } from '../base/failure.js';
import type { Draft } from './draft.js';
import type { ConfigValue } from './grammar.js';
import { type KeyTable, keys, readBlock } from './key-table.js';
import { configError } from './place.js';
import { flag, map, plain, textMap } from './values.js';

const table: KeyTable<Draft> = keys<Draft>({
  'enabled|enable': ({ options }, value, key) => {
    options.plugins.enabled = flag(value, key);
  },
  modules: ({ options }, value, key) => {
    options.plugins.modules = Object.entries(textMap(value, key)).map(([name, file]) => ({ name, file }));
  },
  attachments: (draft, value, key) => {
    draft.attachments = Array.from(map(value, key).entries, ([name, entry]) => ({
      name,
      definition: plain(map(entry.value, name)),
      place: entry.keyPlace,
    }));
  },
});

export function readPlugins(draft: Draft, value: ConfigValue, key: string): void {
  readBlock(map(value, key), table, draft);
}

/** Checks attachments with the schema that requests are checked with, which is only loaded when there are any. */
export async function settleAttachments({ options, attachments }: Draft): Promise<void> {
  if (attachments.length === 0) return;
  const { checkAttachment } = await import('../host/attachment-schema.js');
  options.plugins.attachments = attachments.map(({ name, definition, place }) => {
    try {
      return checkAttachment(name, definition).declaration;
    } catch (error) {
      throw configError(place, describe(error));
    }
  });
}
