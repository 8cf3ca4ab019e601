import { type Flow, runFlow } from '../flow.js';
import type { SubjectPlan } from '../load/orders.js';
import type { Goal, Run, Scenario } from '../scenario.js';

const SUBJECT = 'bench.subject';

/** Publishers and subscribers on one subject. */
export function oneSubject(publishers: number, subscribers: number, payloadBytes: number): Flow {
  const subject: SubjectPlan = { prefix: SUBJECT, count: 0, suffix: '' };
  return {
    publishers: {
      connections: publishers,
      subjects: subject,
      subjectEach: false,
      payload: { kind: 'bytes', bytes: payloadBytes },
      headers: false,
    },
    subscribers:
      subscribers === 0
        ? null
        : {
            connections: subscribers,
            filters: [subject],
            deal: false,
            queue: '',
            sampleSubject: SUBJECT,
            payloadBytes,
          },
    copies: subscribers,
  };
}

/** Many different subjects, all of one length, and one subscriber connection with these filters. */
function manySubjects(subjects: SubjectPlan, filters: SubjectPlan[], payloadBytes: number): Flow {
  const flow = oneSubject(1, 1, payloadBytes);
  flow.publishers.subjects = subjects;
  flow.subscribers!.filters = filters;
  flow.subscribers!.sampleSubject = `${subjects.prefix}${'0'.repeat(7)}${subjects.suffix}`;
  return flow;
}

/** So many subscriptions of two shapes on ten connections, and as many subjects: each matches one of them. */
function wildcards(count: number): Flow {
  const even: SubjectPlan = { prefix: 'site.', count: count / 2, suffix: '.*.temperature', step: 2 };
  const odd: SubjectPlan = { prefix: '*.', count: count / 2, suffix: '.>', first: 1, step: 2 };
  const flow = manySubjects({ prefix: 'site.', count, suffix: '.line.temperature' }, [even, odd], 128);
  flow.subscribers!.connections = 10;
  flow.subscribers!.deal = true;
  return flow;
}

function pairs(count: number): Flow {
  const each: SubjectPlan = { prefix: 'pair.', count, suffix: '' };
  const flow = manySubjects(each, [each], 128);
  flow.publishers.connections = count;
  flow.publishers.subjectEach = true;
  flow.subscribers!.connections = count;
  flow.subscribers!.deal = true;
  return flow;
}

function queueGroup(members: number): Flow {
  const flow = oneSubject(1, members, 128);
  flow.subscribers!.queue = 'workers';
  flow.copies = 1;
  return flow;
}

function withHeaders(): Flow {
  const flow = oneSubject(1, 1, 128);
  flow.publishers.headers = true;
  return flow;
}

const goals = (old: number | null, newest: number | null): Goal[] => [
  ...(old === null ? [] : [{ than: '2.9', ratio: old } as const]),
  ...(newest === null ? [] : [{ than: 'newest', ratio: newest } as const]),
];

function throughput(id: string, title: string, flow: (scale: Run['scale']) => Flow, goalsOf: Goal[]): Scenario {
  return {
    id,
    metrics: [{ id, title, unit: 'msg/s', better: 'higher', goals: goalsOf }],
    async run(run) {
      const plan = flow(run.scale);
      const result = await runFlow(run, await run.start(), plan);
      const perSecond = plan.copies === 0 ? result.publishedPerSecond : result.deliveredPerSecond;
      return { [id]: perSecond, ...result.cores };
    },
  };
}

/** A row where the subscribers get what the publishers write, so that a relay of bytes can do the same. */
function copied(scenario: Scenario): Scenario {
  return { ...scenario, relay: true };
}

/** 1→1 of 128 B, which also tells what a message costs. */
function withCpu(scenario: Scenario): Scenario {
  const cpu = `${scenario.id}-cpu`;
  return {
    ...scenario,
    metrics: [
      ...scenario.metrics,
      {
        id: cpu,
        title: 'CPU seconds per million messages, 1→1 128 B',
        unit: 's',
        better: 'lower',
        goals: goals(null, 0.8),
      },
    ],
    async run(run) {
      const result = await runFlow(run, await run.start(), oneSubject(1, 1, 128));
      return { [scenario.id]: result.deliveredPerSecond, [cpu]: result.serverCpuPerMillion, ...result.cores };
    },
  };
}

const numbered = (count: number): SubjectPlan => ({ prefix: 'd.', count, suffix: '' });
const all: SubjectPlan = { prefix: 'd.*', count: 0, suffix: '' };

export const flows: Scenario[] = [
  copied(throughput('1to1-16', '1→1, 16 B', () => oneSubject(1, 1, 16), goals(1.7, 2))),
  copied(withCpu(throughput('1to1-128', '1→1, 128 B', () => oneSubject(1, 1, 128), goals(1.17, 1.5)))),
  copied(throughput('1to1-1024', '1→1, 1 KiB', () => oneSubject(1, 1, 1024), goals(1.1, 1.3))),
  copied(throughput('1to1-16k', '1→1, 16 KiB', () => oneSubject(1, 1, 16384), goals(null, 1.1))),
  throughput('1to0-16', '1→0, 16 B', () => oneSubject(1, 0, 16), goals(null, 1.5)),
  copied(throughput('1to5-128', '1→5, 128 B', () => oneSubject(1, 5, 128), goals(1.4, 1.5))),
  copied(throughput('1to100-128', '1→100, 128 B', (scale) => oneSubject(1, scale(100), 128), goals(null, 1.5))),
  {
    ...copied(
      throughput('1to1000-128', '1→1,000, 128 B', (scale) => oneSubject(1, scale(1000), 128), goals(null, 1.5)),
    ),
    leftOut: 'quick',
  },
  copied(throughput('4to4-128', '4→4 on one subject, 128 B', () => oneSubject(4, 4, 128), goals(1.3, 1.3))),
  throughput('4pairs-128', '4→4 on a subject each, 128 B', () => pairs(4), goals(1.3, 1.3)),
  throughput(
    'subjects-10k',
    '10,000 subjects, one wildcard subscriber, 128 B',
    (scale) => manySubjects(numbered(scale(10_000)), [all], 128),
    goals(null, 1.2),
  ),
  throughput(
    'subjects-1m',
    '1,000,000 subjects, one wildcard subscriber, 16 B',
    (scale) => manySubjects(numbered(scale(1_000_000)), [all], 16),
    goals(null, 1.2),
  ),
  throughput(
    'wildcards-100k',
    '100,000 wildcard subscriptions, 128 B',
    (scale) => wildcards(scale(100_000)),
    goals(null, 1.2),
  ),
  throughput('queue-8', 'queue group of 8, 128 B', () => queueGroup(8), goals(null, 1.3)),
  throughput('headers-128', '1→1 with 3 headers, 128 B', withHeaders, goals(null, 1.3)),
];
