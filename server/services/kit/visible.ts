/** Control characters, and what reorders a line for the eye: Unicode's Cc, its line separators and its bidirectional controls. */
const UNSEEN = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * A text that comes from elsewhere, such as the name of a file, on one line and without the power to change what a terminal or a page
 * shows: `\u{1b}` in the place of an escape.
 */
export function escapeControls(text: string): string {
  return text.replace(UNSEEN, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}
