/** How much of everything one account may have. */
export interface PluginLimits {
  plugins: number;
  /** Of one plugin: the oldest that is not in use gives way to a new one. */
  versions: number;
  /** Of all modules together; compiled, a module takes 2 to 80 times its bytes. */
  moduleBytes: number;
  attachments: number;
}

export const DEFAULT_PLUGIN_LIMITS: Readonly<PluginLimits> = {
  plugins: 1000,
  versions: 32,
  moduleBytes: 64 * 1024 * 1024,
  attachments: 10_000,
};
