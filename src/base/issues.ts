import * as v from 'valibot';

/** What a schema has against a value, for people. `whole` stands for the value itself. */
export function issueText(issue: v.BaseIssue<unknown>, whole: string): string {
  const place = v.getDotPath(issue);
  if (place !== null && issue.type === 'strict_object') {
    if (issue.expected === 'never') return `${JSON.stringify(place)} is not known`;
    if (issue.received === 'undefined') return `${JSON.stringify(place)} is missing`;
  }
  return `${place ?? whole}: ${issue.message}`;
}
