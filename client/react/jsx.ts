import type { DetailedHTMLProps, HTMLAttributes } from 'react'
import type { JobProgressAttributes } from '../element/attributes.ts'
import type { JobProgressElement } from '../element/job-progress-element.ts'

/** Declared here, because declarations of an augmented module can't name types of the module itself. */
type ElementProps = DetailedHTMLProps<HTMLAttributes<JobProgressElement>, JobProgressElement> & JobProgressAttributes

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'job-progress': ElementProps
    }
  }
}
