/** How often the line changes: milliseconds. In a terminal it is overwritten, elsewhere each is a line of its own. */
const EVERY_MS = { terminal: 100, elsewhere: 5_000 }

/** A line that says how far the work is. */
export class ProgressLine implements Disposable {
  readonly #output: { isTTY?: boolean; write(text: string): unknown }
  #text = ''
  #shownAt = Number.NEGATIVE_INFINITY

  constructor(output: { isTTY?: boolean; write(text: string): unknown }) {
    this.#output = output
  }

  /** Shows `Copied 7 of 12 jobs`: the first and the last of a kind always, others at intervals. */
  show(text: string, done: number, total: number): void {
    const now = performance.now()
    const wait = this.#output.isTTY ? EVERY_MS.terminal : EVERY_MS.elsewhere
    if (text === this.#text && done < total && now - this.#shownAt < wait) return
    if (text !== this.#text) this.#end()
    this.#text = text
    this.#shownAt = now
    const line = `${text} ${done} of ${total} jobs`
    this.#output.write(this.#output.isTTY ? `\r${line}\x1b[K` : `${line}\n`)
  }

  [Symbol.dispose](): void {
    this.#end()
  }

  #end(): void {
    if (this.#text !== '' && this.#output.isTTY) this.#output.write('\n')
  }
}
