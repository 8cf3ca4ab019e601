/** Longest names, descriptions and metadata of streams and consumers, in bytes. */
export const NAME_LENGTH_MAX = 255;
export const DESCRIPTION_LENGTH_MAX = 4 * 1024;
export const METADATA_LENGTH_MAX = 128 * 1024;

/** Whether it may be the name of a stream or a consumer. */
export function isName(name = ''): boolean {
  return name !== '' && !/[\s.*>/\\\u0000-\u001f\u007f]/.test(name);
}

export function metadataLength(metadata: Readonly<Record<string, string>> = {}): number {
  return Object.entries(metadata).reduce((sum, [key, value]) => sum + Buffer.byteLength(key + value), 0);
}
