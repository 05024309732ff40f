/** The most characters of an error's text: as bytes they fit a message. */
const ERROR_LENGTH = 2_000

/** The text of what was thrown, whatever it is. */
export function errorText(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message || error.name : error).slice(0, ERROR_LENGTH)
  } catch {
    return 'An error without a text'
  }
}
