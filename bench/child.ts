import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Asks a child one question and resolves with its answer. */
export async function ask<T>(child: ChildProcess, question: string): Promise<T> {
  const answer = once(child, 'message');
  child.send(question);
  return (await answer)[0] as T;
}
