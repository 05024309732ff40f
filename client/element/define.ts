/** Registers `<job-progress>`; the entry of `/widget.js`. Does nothing without custom elements, as on a rendering server. */
import type { HTMLAttributes } from 'preact'
import type { JobProgressAttributes } from './attributes.ts'
import { JobProgressElement } from './job-progress-element.ts'

export type { JobLanguage } from '../text/job-language.ts'

const { customElements } = globalThis as Partial<typeof globalThis>
if (customElements && !customElements.get('job-progress')) customElements.define('job-progress', JobProgressElement)

declare global {
  interface HTMLElementTagNameMap {
    'job-progress': JobProgressElement
  }
}

/** Declared here, because declarations of an augmented module can't name types of the module itself. */
type ElementProps = HTMLAttributes<JobProgressElement> & JobProgressAttributes

declare module 'preact' {
  namespace JSX {
    interface IntrinsicElements {
      'job-progress': ElementProps
    }
  }
}
