/** The socket calls that the bridges need. Every call returns its result, 0 or more, or -errno. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by the relay calls
export interface Relay {}
