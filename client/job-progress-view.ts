import { type Icon, stateIcons } from './icons.ts'
import type { JobState } from './language.ts'
import type { JobWords } from './words.ts'

/** How a job is shown. */
export type Variant = 'bar' | 'ring' | 'text'

/** Work that has begun and has no total: neither a share nor an empty bar would be true. */
const begun: ReadonlySet<JobState> = new Set(['running', 'paused', 'stalled', 'cancelling', 'failed', 'cancelled'])

/** Something of a job that failed. */
export interface Failure {
  name: string
  reason?: string | undefined
}

/** Failed items that are listed at most. */
const FAILURES_SHOWN = 50

/** The inside of a `<job-progress>`: made once, then brought up to date. */
export class JobProgressView {
  readonly root: HTMLElement = element('div', 'root')
  readonly #head = element('div', 'head')
  readonly #label = element('span', 'label')
  readonly #chip = element('span', 'chip')
  readonly #track = element('div', 'track')
  readonly #fill = element('div', 'fill')
  readonly #middle = element('span', 'middle')
  readonly #line = element('span', 'line')
  readonly #aside = element('span', 'aside')
  readonly #action = element('button', 'action')
  readonly #failures = element('ul', 'failures')
  #state: JobState | undefined

  /** @param onShow called when somebody asks for the failed items */
  constructor(onShow: () => void) {
    const figures = element('div', 'figures')
    this.#action.addEventListener('click', onShow)
    this.#track.role = 'progressbar'
    this.#track.ariaValueMin = '0'
    this.#track.ariaValueMax = '100'
    // The bar says the very same, to those who can't see these.
    for (const seen of [this.#line, this.#aside, this.#middle]) seen.ariaHidden = 'true'
    this.showFailures(undefined)
    this.#head.append(this.#label, this.#chip)
    this.#track.append(this.#fill, createRing(), this.#middle)
    figures.append(this.#line, this.#aside, this.#action)
    this.root.append(this.#head, this.#track, figures, this.#failures)
  }

  /** Shows a job's words under a label; an empty one is not shown. */
  update(words: JobWords, label: string, variant: Variant): void {
    const { state, tone, percent } = words
    const unknown = percent === undefined && begun.has(state)
    // All was tried: what failed of it, the chip and the line say.
    const barTone = state === 'completed-with-failures' ? 'done' : tone
    this.#track.className = `track ${barTone}`
    this.root.className = `root is-${variant} ${tone}${unknown ? ' unknown' : ''}${percent ? '' : ' empty'}`
    this.#head.hidden = label === '' && words.chip === undefined
    this.#label.hidden = label === ''
    setText(this.#label, label)
    setText(this.#line, words.line)
    setOptional(this.#aside, words.aside)
    setOptional(this.#action, words.action)
    this.#track.ariaLabel = label || (words.chip ?? words.line)
    this.#track.ariaValueText = words.sentence
    this.#track.ariaValueNow = percent === undefined ? null : String(Math.floor(percent))
    this.root.style.setProperty('--percent', String(percent ?? 0))
    this.#showState(words)
  }

  get showsFailures(): boolean {
    return !this.#failures.hidden
  }

  /** Lists what failed, each with its reason; `undefined` hides the list. */
  showFailures(failures: readonly Failure[] | undefined): void {
    const rows = failures?.slice(0, FAILURES_SHOWN).map(({ name, reason }) => {
      const row = document.createElement('li')
      row.append(name)
      if (reason !== undefined) {
        const small = document.createElement('small')
        small.textContent = reason
        row.append(small)
      }
      return row
    })
    this.#failures.replaceChildren(...(rows ?? []))
    this.#failures.hidden = !rows
    this.#action.ariaExpanded = String(rows !== undefined)
  }

  #showState({ state, chip, percent }: JobWords): void {
    const number = state === 'running' && percent !== undefined
    this.#middle.classList.toggle('of-number', number)
    if (number) this.#middle.textContent = `${Math.floor(percent)}`
    if (state !== this.#state) {
      this.#chip.replaceChildren(createIcon(stateIcons[state]), chip ?? '')
      this.#chip.hidden = chip === undefined
    }
    if (!number && (state !== this.#state || !this.#middle.firstElementChild)) {
      this.#middle.replaceChildren(createIcon(stateIcons[state]))
    }
    this.#state = state
  }
}

const SVG = 'http://www.w3.org/2000/svg'

function element<K extends keyof HTMLElementTagNameMap>(tag: K, part: string): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  made.className = part
  made.setAttribute('part', part)
  return made
}

function createIcon({ path, stroke }: Icon): SVGElement {
  const svg = document.createElementNS(SVG, 'svg')
  const shape = document.createElementNS(SVG, 'path')
  svg.setAttribute('viewBox', '0 0 16 16')
  svg.ariaHidden = 'true'
  shape.setAttribute('d', path)
  if (stroke === 0) shape.setAttribute('fill', 'currentColor')
  else shape.setAttribute('stroke-width', String(stroke))
  svg.append(shape)
  return svg
}

/** A circle for the track, and one above it, a hundred long, whose dash is the share. */
function createRing(): SVGElement {
  const ring = document.createElementNS(SVG, 'svg')
  ring.setAttribute('viewBox', '0 0 40 40')
  ring.setAttribute('class', 'ring')
  ring.setAttribute('part', 'ring')
  for (let i = 0; i < 2; i++) {
    const circle = document.createElementNS(SVG, 'circle')
    for (const [name, value] of [
      ['cx', 20],
      ['cy', 20],
      ['r', 18],
      ['pathLength', 100],
    ] as const) {
      circle.setAttribute(name, String(value))
    }
    ring.append(circle)
  }
  return ring
}

/** Touches the page only when there is something new: a selection in the text survives the rest. */
function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text
}

function setOptional(target: HTMLElement, text: string | undefined): void {
  target.hidden = text === undefined
  setText(target, text ?? '')
}
