import type { Attack } from './attack.js';
import { connectionAttacks } from './connections.js';
import { houseAttacks } from './house.js';
import { loginAttacks } from './logins.js';
import { messageAttacks } from './messages.js';
import { streamAttacks } from './streams.js';
import { webAttacks } from './web.js';

/** All of them, in the table's order. */
export const attacks: readonly Attack[] = [
  ...connectionAttacks,
  ...loginAttacks,
  ...messageAttacks,
  ...webAttacks,
  ...streamAttacks,
  ...houseAttacks,
];
