import type { JobState } from '../text/job-language.ts'
import type { JobWords } from '../text/words.ts'
import { type IconShape, stateIcons } from './icons.ts'

/** The shadow tree of a `<job-progress>`: created once, then updated. */
interface JobProgressView {
  readonly root: HTMLElement
  /** Where `full` draws. */
  readonly sections: HTMLElement
  /** Shows a job's words under a label; an empty one is not shown. Any variant but `ring` and `text` is a bar. */
  update(words: JobWords, label: string | undefined, variant: string): void
  hideFailures(): void
}

/** @param onShow called when somebody asks for the failed items, or for them no longer, with their list and the button */
export function createJobProgressView(onShow: (list: HTMLElement, button: HTMLElement) => void): JobProgressView {
  const label = element('span', 'label')
  const chip = element('span', 'chip')
  const fill = element('div', 'fill')
  const middle = element('span', 'middle')
  const track = element('div', 'track', fill, middle)
  const line = element('span', 'line')
  const aside = element('span', 'aside')
  const action = element('button', 'action')
  const list = element('ul', 'failures')
  const head = element('div', 'head', label, chip)
  const sections = element('div', 'sections')
  const actions = document.createElement('slot')
  actions.name = 'actions'
  const root = element(
    'div',
    'root',
    head,
    track,
    element('div', 'figures', line, aside, action),
    list,
    sections,
    actions,
  )
  let shown: JobState | 'number' | undefined

  action.onclick = () => onShow(list, action)
  track.role = 'progressbar'
  // The bar has the same text for screen readers.
  for (const seen of [line, aside, middle]) seen.ariaHidden = 'true'

  function update(words: JobWords, text: string | undefined, variant: string): void {
    const { state, tone, percent, chip: word, line: said } = words
    const whole = percent === undefined ? null : `${Math.floor(percent)}`
    // Work without a total has no percent: indeterminate.
    const isUnknown = percent === undefined && word !== undefined && state !== 'waiting'
    // Everything was tried: the chip and the line show what failed.
    track.className = `track ${state === 'completed-with-failures' ? 'done' : tone}`
    root.className = `root is-${variant} ${tone}${isUnknown ? ' unknown' : ''}${percent ? '' : ' empty'}`
    root.style.setProperty('--percent', `${percent ?? 0}`)
    setText(label, text)
    setText(line, said)
    setText(aside, words.aside)
    setText(action, words.action)
    track.ariaLabel = text || (word ?? said)
    track.ariaValueText = words.sentence
    track.ariaValueNow = whole
    chip.hidden = !word
    head.hidden = label.hidden && chip.hidden
    const look = whole && state === 'running' ? 'number' : state
    if (look !== shown) {
      chip.replaceChildren(createIcon(stateIcons[state]), word ?? '')
      middle.replaceChildren(createIcon(stateIcons[state]))
      shown = look
    }
    if (look === 'number') setText(middle, whole)
  }

  function hideFailures(): void {
    list.hidden = true
    action.ariaExpanded = 'false'
  }
  hideFailures()

  return { root, sections, update, hideFailures }
}

/** An element of a page's style sheets: `job-progress::part(label)`. */
function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  part: string,
  ...inside: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  made.className = part
  made.part = part
  made.append(...inside)
  return made
}

function svg(tag: string, attributes: Record<string, string | number>, ...inside: Node[]): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag) as SVGElement
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, `${value}`)
  made.append(...inside)
  return made
}

function createIcon({ path, stroke }: IconShape): SVGElement {
  return svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, svg('path', { d: path, 'stroke-width': stroke }))
}

/** Sets or hides a text. Touches the DOM only on change, so that a selection survives. */
function setText(target: HTMLElement, text: string | null = ''): void {
  target.hidden = !text
  if (target.textContent !== text) target.textContent = text
}
