export const PAGE_BYTES = 65536;

/** The custom section in which a plugin says what it is, as JSON. */
export const MANIFEST_SECTION = 'weir.manifest';

/** What a module may be made of. They bound what compiling and instantiating it costs, whatever it does later. */
const LIMITS = {
  moduleBytes: 4 * 1024 * 1024,
  componentBytes: 16 * 1024 * 1024,
  manifestBytes: 256 * 1024,
  functions: 10_000,
  bodyBytes: 64 * 1024,
  locals: 2_000,
  /** Of all tables together, to begin with; and of each, when it grows. */
  tableEntries: 10_000,
  tables: 16,
  types: 10_000,
  /** Results of a function, parameters and results of a block: a branch moves them all at once. */
  results: 16,
  globals: 1_000,
  /** Entries are copied into tables, and globals computed, whenever the module is instantiated. */
  elementEntries: 10_000,
  dataSegments: 10_000,
  nesting: 500,
  /** See `BodyCheck`. */
  bodyEffort: 1_000_000,
  moduleEffort: 12_000_000,
  /** The largest initial memory of any plugin; an attachment's own budget is checked when it is instantiated. */
  memoryBytes: 256 * 1024 * 1024,
};

export type ModuleLimits = Readonly<typeof LIMITS>;
export const MODULE_LIMITS: ModuleLimits = LIMITS;

/**
 * Of components beyond 4 MiB, which carry the engine of another language. Compiling them takes seconds, and their calls are long: they run in worker
 * threads only.
 */
export const LARGE_MODULE_LIMITS: ModuleLimits = {
  ...MODULE_LIMITS,
  moduleBytes: 16 * 1024 * 1024,
  functions: 20_000,
  bodyBytes: 256 * 1024,
  tableEntries: 20_000,
  elementEntries: 20_000,
  bodyEffort: 8_000_000,
  moduleEffort: 120_000_000,
};
