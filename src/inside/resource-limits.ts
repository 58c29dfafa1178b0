/**
 * The names of resource limits; each one's index is its number.
 *
 * Runs:     sandbox. Pure.
 * Source:   getrlimit(2); asm-generic/resource.h
 */
export const resourceLimits = [
  "cpu",
  "fsize",
  "data",
  "stack",
  "core",
  "rss",
  "nproc",
  "nofile",
  "memlock",
  "as",
  "locks",
  "sigpending",
  "msgqueue",
  "nice",
  "rtprio",
  "rttime",
] as const;
