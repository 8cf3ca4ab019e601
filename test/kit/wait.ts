/** Waits until the condition holds, looking again each few milliseconds; fails with `what` after the deadline. */
export async function until(holds: () => boolean, what: string, deadlineMs = 5_000): Promise<void> {
  const endsMs = Date.now() + deadlineMs;
  while (!holds()) {
    if (Date.now() > endsMs) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** As `until`, for what has to be asked for. */
export async function eventually(holds: () => Promise<boolean>, what: string, deadlineMs = 10_000): Promise<void> {
  const endsMs = Date.now() + deadlineMs;
  while (!(await holds())) {
    if (Date.now() > endsMs) throw new Error(`waited ${deadlineMs} ms for ${what}`);
    await sleep(10);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
