/** A line that a command wrote, without escape sequences. */
export interface OutputLine {
  text: string
  /** Whether it was drawn to be replaced, as bars are, and not just written. */
  isDrawn: boolean
  /** Whether it was drawn below another: the cursor went up after it. */
  isBelow: boolean
  /** Whether it may still grow. */
  isOpen: boolean
}

/** The longest line that is kept, in characters; the rest of a longer one is dropped. */
const MOST_LENGTH = 4_096
const ESC = '\u001b'
const BEL = '\u0007'
/** The control sequences of a terminal (ECMA-48, 5.4), of which some move the cursor. */
const CSI = String.raw`${ESC}\[([0-?]*)[ -/]*([@-~])`
/** Texts for the terminal itself, such as its title; and all other sequences. */
const OTHERS = String.raw`${ESC}\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\)|${ESC}[ -/]*[0-Z\\^-~]`
/** What ends a line, or moves. */
const BREAK = new RegExp(String.raw`\r*\n|\r|${CSI}|${OTHERS}`, 'g')
/** A sequence that is not complete yet. */
const INCOMPLETE = new RegExp(String.raw`(?:\r+|${ESC}(?:\[[0-?]*[ -/]*|\][^${BEL}${ESC}]{0,256}${ESC}?|[ -/]*)?)$`)
/** What has no width and no meaning here. */
const CONTROLS = /(?!\t)\p{Cc}/gu

/**
 * Takes the output of a command apart: lines that it wrote, and bars that it drew over others.
 *
 * Knows what progress bars use: carriage returns, erasing, and moving up and down by rows.
 */
export class OutputLines {
  /** The end of what was fed, which may be half a sequence. */
  #rest = ''
  #text = ''
  #row = 0
  #lowest = 0
  /** Whether the open line replaces what was drawn before it. */
  #isDrawn = false

  /** Takes output. @returns the lines that ended in it */
  feed(output: string): OutputLine[] {
    const all = this.#rest + output
    const rest = INCOMPLETE.exec(all)?.[0] ?? ''
    const whole = all.slice(0, all.length - rest.length)
    this.#rest = rest
    const lines: OutputLine[] = []
    let from = 0
    for (const found of whole.matchAll(BREAK)) {
      this.#write(whole.slice(from, found.index))
      from = found.index + found[0].length
      this.#break(found, lines)
    }
    this.#write(whole.slice(from))
    return lines
  }

  /** The line that has not ended: a bar that waits for its next drawing is one. */
  get open(): OutputLine | undefined {
    const text = this.#text.replace(CONTROLS, '').trimEnd()
    return text === ''
      ? undefined
      : { text, isDrawn: this.#isDrawn || this.#rest.startsWith('\r'), isBelow: false, isOpen: true }
  }

  #write(text: string): void {
    if (this.#text.length < MOST_LENGTH) this.#text += text.slice(0, MOST_LENGTH - this.#text.length)
  }

  #break([found, parameter = '', final]: RegExpExecArray | RegExpMatchArray, lines: OutputLine[]): void {
    const count = Number.parseInt(parameter, 10) || 1
    if (found.endsWith('\n')) {
      this.#end(lines, this.#isDrawn || this.#row < this.#lowest)
      this.#row += 1
      this.#lowest = Math.max(this.#lowest, this.#row)
      this.#isDrawn = false
    } else if (found === '\r' || final === 'G') {
      this.#end(lines, true)
      this.#isDrawn = true
    } else if (final === 'A' || final === 'F') {
      this.#end(lines, true, true)
      this.#row = Math.max(0, this.#row - count)
      this.#isDrawn = true
    } else if (final === 'B' || final === 'E') {
      this.#end(lines, true)
      this.#row += count
      // Below all that was drawn the command writes again.
      this.#isDrawn = this.#row < this.#lowest
    }
  }

  #end(lines: OutputLine[], isDrawn: boolean, isBelow = false): void {
    const { open } = this
    if (open) lines.push({ ...open, isDrawn, isBelow, isOpen: false })
    this.#text = ''
  }
}
