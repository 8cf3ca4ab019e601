import type { Scenario } from '../scenario.js';
import { accounts } from './accounts.js';
import { edge } from './edge.js';
import { flows } from './flows.js';
import { footprint } from './footprint.js';
import { loginRows } from './logins.js';
import { paced } from './paced.js';
import { plugins } from './plugins.js';
import { requests } from './requests.js';
import { security } from './security.js';
import { streamReads } from './stream-reads.js';
import { streamRecovery } from './stream-recovery.js';
import { streams } from './streams.js';

/** Every scenario, in the order of the table. */
export const scenarios: Scenario[] = [
  ...flows,
  ...requests,
  paced,
  ...footprint,
  edge,
  ...plugins,
  ...security,
  ...loginRows,
  accounts,
  ...streams,
  ...streamReads,
  streamRecovery,
];
