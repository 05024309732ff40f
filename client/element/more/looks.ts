import { lookStyles } from './looks-styles.ts'

let sheet: CSSStyleSheet | undefined
const dressed = new WeakSet<ShadowRoot>()

/** Adds to an element what the variants `ring` and `text` and the list of failures need. */
export function dress(shadow: ShadowRoot): void {
  if (dressed.has(shadow)) return
  dressed.add(shadow)
  if (!sheet) {
    sheet = new CSSStyleSheet()
    sheet.replaceSync(lookStyles)
  }
  shadow.adoptedStyleSheets.push(sheet)
  shadow.querySelector('.fill')?.after(createRing())
}

/** A circle for the track, and one of length 100 above it whose dash is the percent. */
function createRing(): SVGElement {
  const circle = () => svgElement('circle', { cx: '20', cy: '20', r: '18', pathLength: '100' })
  const ring = svgElement('svg', { viewBox: '0 0 40 40', class: 'ring', part: 'ring' })
  ring.append(circle(), circle())
  return ring
}

/** Its own: what it shared with the element, bundlers would split off. */
function svgElement(tag: string, attributes: Record<string, string>): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag) as SVGElement
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  return made
}
