/**
 * Which build this is.
 *
 * Runs:     host and sandbox. Pure.
 * Promises: the stub and the bundle that are packed together have the same id, and no others.
 * Source:   esbuild replaces both names, build/sea.ts; they are absent when the sources run as they are
 */
declare const FENCE_BUILD_ID: string | undefined;
declare const FENCE_VERSION: string | undefined;

/** 16 bytes in hexadecimal. */
export const buildId = typeof FENCE_BUILD_ID === "string" ? FENCE_BUILD_ID : "0".repeat(32);
export const version = typeof FENCE_VERSION === "string" ? FENCE_VERSION : "0.0.0-source";
