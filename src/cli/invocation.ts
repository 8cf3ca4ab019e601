/** What a user types to run us, for commands that we suggest: `npx weir` when npx ran us, for then `weir` is not on PATH. */
export function weirCommand(): string {
  return process.env.npm_lifecycle_event === 'npx' ? 'npx weir' : 'weir';
}
