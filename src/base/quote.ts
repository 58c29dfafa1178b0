/**
 * Quotes what the user gave, for messages.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: fits a line, whatever was given.
 */
const longestQuoted = 80;

/** In double quotes, with control characters escaped; what is long is cut. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > longestQuoted ? `${text.slice(0, longestQuoted)}…` : text);
}
