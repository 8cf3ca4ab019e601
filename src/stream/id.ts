const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A text of letters and digits that nobody guesses or makes twice: events have 22 characters, consumers eight. */
export function newId(length: number, random: () => number): string {
  let id = '';
  for (let i = 0; i < length; i++) id += DIGITS[Math.floor(random() * DIGITS.length)];
  return id;
}
