import { certificateFiles } from '../attack/certificates.js';
import { runFlow } from '../flow.js';
import type { Scenario } from '../scenario.js';
import { withConfiguration } from './configuration.js';
import { oneSubject } from './flows.js';
import { shareOf } from './side-by-side.js';

const PAYLOAD_BYTES = 128;
/** For publishing, and as many for subscribing. */
const RULES = 50;

/** Clients begin with the handshake, so that the load is one TLS connection from its first byte on. */
function withTls(folder: string): string {
  const { cert, key } = certificateFiles(folder);
  return `tls { cert_file: ${JSON.stringify(cert)}, key_file: ${JSON.stringify(key)}, handshake_first: true }\n`;
}

/** The one user, whom everybody is taken for. */
function withUser(more: object = {}): string {
  const user = { user: 'ann', password: 'secret', ...more };
  return `authorization: ${JSON.stringify({ users: [user] })}\nno_auth_user: ann\n`;
}

/** Rules as they are written for devices and services: names, wildcards of both kinds, and a fifth that denies. */
function manyRules(): object {
  const allow = Array.from({ length: RULES * 0.8 }, (_, i) => ['bench.>', `plant.${i}.*.value`, `site.${i}.>`][i % 3]);
  const deny = Array.from({ length: RULES * 0.2 }, (_, i) => [`bench.secret.${i}`, `bench.*.admin.${i}.>`][i % 2]);
  const rules = { allow: allow.map((rule, i) => (rule === 'bench.>' && i > 0 ? `line.${i}` : rule)), deny };
  return { permissions: { publish: rules, subscribe: rules } };
}

export const security: Scenario[] = [
  {
    id: 'tls-1to1-128',
    newestOnly: true,
    metrics: [
      {
        ...{ id: 'tls-1to1-128', title: 'TLS, 1→1, 128 B', unit: 'msg/s', better: 'higher' },
        goals: [{ than: 'newest', ratio: 1 }],
      },
    ],
    run: (run) =>
      withConfiguration(withTls, async (args) => {
        const flow = { ...oneSubject(1, 1, PAYLOAD_BYTES), tls: true };
        const { deliveredPerSecond, cores } = await runFlow(run, await run.start(args), flow);
        return { 'tls-1to1-128': deliveredPerSecond, ...cores };
      }),
  },
  {
    id: 'rules-50',
    only: 'weir',
    metrics: [
      {
        ...{
          id: 'rules-50-share',
          title: `with ${RULES} rules for publishing and ${RULES} for subscribing, of without`,
        },
        ...{ unit: '%', better: 'higher', limit: 95 },
      },
    ],
    run: (run) =>
      withConfiguration(
        () => withUser(),
        (without) =>
          withConfiguration(
            () => withUser(manyRules()),
            async (args) => {
              const flow = oneSubject(1, 1, PAYLOAD_BYTES);
              return { 'rules-50-share': await shareOf(run, { with: args, without }, { with: flow, without: flow }) };
            },
          ),
      ),
  },
];
