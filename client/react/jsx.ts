import type { DetailedHTMLProps } from 'react'
import type { JobProgressAttributes } from '../element/attributes.ts'
import type { JobProgressElement } from '../element/job-progress-element.ts'

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'job-progress': DetailedHTMLProps<HTMLAttributes<JobProgressElement>, JobProgressElement> & JobProgressAttributes
    }
  }
}
