import type { SelfTest } from '../sandbox/self-test.js';
import type { BudgetRequest } from './declarations.js';

/** Effects that need a grant. */
export const GRANT_KINDS = ['emit', 'log', 'metric', 'state', 'table'] as const;
export type GrantKind = (typeof GRANT_KINDS)[number];

/** What a plugin says about itself, in the section `weir.manifest` of its module. */
export interface Manifest {
  name?: string;
  /** The author's version; the registry numbers its own. */
  version?: string;
  description?: string;
  needs: {
    /** How much of the payload it looks at: all of it, none, or so many bytes from its start. */
    payload: 'full' | 'none' | number;
    headers: boolean;
    /** Milliseconds between ticks; 0 is never. */
    tick_ms: number;
  };
  /** Effects that it cannot do without. */
  grants: GrantKind[];
  /** What an attachment gets that asks for no budget of its own. */
  budget: BudgetRequest;
  /** What configurations look like: a subset of JSON Schema; null is anything. */
  config: Record<string, unknown> | null;
  /** What the module did when it was built: it has to do the same here. */
  self_tests: SelfTest[];
}
