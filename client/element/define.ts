/** Registers `<job-progress>`; the entry of `/widget.js`. Does nothing without custom elements, as on a rendering server. */
import type { JSX } from 'preact'
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

/** Those that every element has: Preact 10 and 11 name their type differently. */
type ElementProps = JSX.IntrinsicElements['section'] & JobProgressAttributes

declare module 'preact' {
  namespace JSX {
    interface IntrinsicElements {
      'job-progress': ElementProps
    }
  }
}
