/** Registers `<job-progress>`: what `/widget.js` is made of. */
import { JobProgressElement } from './job-progress-element.ts'

if (!customElements.get('job-progress')) customElements.define('job-progress', JobProgressElement)

declare global {
  interface HTMLElementTagNameMap {
    'job-progress': JobProgressElement
  }
}
