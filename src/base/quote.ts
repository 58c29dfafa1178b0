/**
 * Quotes what the user gave, for messages.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: fits a line, whatever was given.
 */
const longestQuoted = 80;

/** In double quotes, with control characters escaped; what is long is cut. */
export function quoted(text: string): string {
  return quotedUpTo(longestQuoted, text);
}

/** The same for what has its own limit, in UTF-16 code units. */
export function quotedUpTo(longest: number, text: string): string {
  return JSON.stringify(text.length > longest ? `${text.slice(0, longest)}…` : text);
}
