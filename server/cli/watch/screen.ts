/** Draws a few lines at the end of a terminal, and draws them again. What is printed in between stays above them. */
export class Screen {
  readonly #write: (text: string) => void
  #drawn = 0

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  /** Prints lines for good, then the lines that the next call replaces. */
  show(printed: readonly string[], drawn: readonly string[]): void {
    const up = this.#drawn > 0 ? `\u001b[${this.#drawn}A` : ''
    // Erases only what is left over, so that nothing flickers.
    this.#write(`${up}${[...printed, ...drawn].map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`)
    this.#drawn = drawn.length
  }
}
