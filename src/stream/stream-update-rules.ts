import { isDeepStrictEqual } from 'node:util';
import { apiError, invalidConfig } from './api-error.js';
import type { StreamConfig } from './stream-config.js';

const KEPT: [keyof StreamConfig, string][] = [
  ['storage', 'change storage type'],
  ['allow_msg_counter', 'change message counter setting'],
  ['persist_mode', 'change persist mode'],
];

/** Flags that stay once they are set, and what it is to take them back. */
const RATCHETS: [keyof StreamConfig, string][] = [
  ['sealed', 'stream configuration update can not unseal a sealed stream'],
  ['deny_delete', 'stream configuration update can not cancel deny message deletes'],
  ['deny_purge', 'stream configuration update can not cancel deny purge'],
  ['allow_msg_ttl', 'message TTL status can not be disabled'],
  ['allow_msg_schedules', 'message schedules can not be disabled'],
];

/** Whether a stream may change from one configuration to the other; throws an `ApiError`. Sealing takes further settings with it. */
export function checkStreamUpdate(old: StreamConfig, next: StreamConfig): void {
  if (next.name !== old.name) throw invalidConfig('stream configuration name must match original');
  if (next.num_replicas > 1) throw apiError('streamReplicasNotSupported');
  for (const [key, what] of KEPT)
    if ((next[key] || 'default') !== (old[key] || 'default'))
      throw invalidConfig(`stream configuration update can not ${what}`);
  if (next.retention !== old.retention && (old.retention === 'workqueue' || next.retention === 'workqueue'))
    throw invalidConfig('stream configuration update can not change retention policy to/from workqueue');
  for (const [key, refusal] of RATCHETS) if (old[key] && !next[key]) throw invalidConfig(refusal);
  if (next.mirror !== undefined && !isDeepStrictEqual(next.mirror, old.mirror))
    throw apiError('streamMirrorNotUpdatable');
  if (!next.sealed) return;
  next.max_age = 0;
  next.discard = 'new';
  next.deny_delete = true;
  next.deny_purge = true;
  next.allow_rollup_hdrs = false;
}
