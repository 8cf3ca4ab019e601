import { describe } from '../base/failure.js';
import type { PluginDeclarations } from '../host/declarations.js';
import type { Draft } from './draft.js';
import type { ConfigValue } from './grammar.js';
import { type KeyTable, keys, readBlock, set } from './key-table.js';
import { configError } from './place.js';
import { expected, flag, map, plain, type Read, textMap, texts, whole } from './values.js';

type Limits = NonNullable<PluginDeclarations['limits']>;

const count = whole(1, 2 ** 31);
const limits: KeyTable<Limits> = {
  plugins: set('plugins', count),
  versions: set('versions', count),
  module_bytes: set('moduleBytes', count),
  attachments: set('attachments', count),
};

/** Public nkeys: of users, accounts or operators. */
const NKEY = /^[UAO][A-Z2-7]{55}$/;

const trustedKeys: Read<string[]> = (value, key) => {
  const found = texts(value, key);
  const wrong = found.find((each) => !NKEY.test(each));
  if (wrong === undefined) return found;
  return expected(
    value,
    key,
    `public nkeys such as "UABC…", of 56 letters and digits; ${JSON.stringify(wrong)} is none`,
  );
};

const table: KeyTable<Draft> = keys<Draft>({
  'enabled|enable': ({ options }, value, key) => {
    options.plugins.enabled = flag(value, key);
  },
  trusted_keys: ({ options }, value, key) => {
    options.plugins.trustedKeys = trustedKeys(value, key);
  },
  workers: ({ options }, value, key) => {
    options.plugins.workers = whole(1, 256)(value, key);
  },
  limits: ({ options }, value, key) => {
    options.plugins.limits = readBlock(map(value, key), limits, {});
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
