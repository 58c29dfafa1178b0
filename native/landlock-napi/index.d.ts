/** Landlock. Every call returns its result, 0 or more, or -errno. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by the Landlock calls
export interface Landlock {}
