/** Registers `<job-progress>`: what `/widget.js` is made of. Where there are no elements, as on a server that renders pages, nothing happens. */
import { JobProgressElement } from './job-progress-element.ts'

const { customElements } = globalThis as Partial<typeof globalThis>
if (customElements && !customElements.get('job-progress')) customElements.define('job-progress', JobProgressElement)

declare global {
  interface HTMLElementTagNameMap {
    'job-progress': JobProgressElement
  }
}
