import type { JobHeader } from '../../shared/document/job.ts'
import type { GetToken } from '../connection/access/token-source.ts'

/** What `<job-progress>` takes in the JSX of Preact and React, beside what every element takes. */
export interface JobProgressAttributes {
  /** URL of the job: `https://progress.example/api/jobs/export-7`. */
  src?: string | undefined
  /** A watch token. */
  token?: string | undefined
  /** `bar` by default. */
  variant?: 'bar' | 'ring' | 'text' | 'full' | undefined
  /** Shown instead of the title of the job. */
  label?: string | undefined
  /** Gives a watch token: before the present one expires, and for the first without `token`. */
  getToken?: GetToken | undefined
  /** At each change of the job. */
  'onjob-change'?: ((event: CustomEvent<JobHeader>) => void) | undefined
  /** At its end. */
  'onjob-end'?: ((event: CustomEvent<JobHeader>) => void) | undefined
  /** When the token has expired: `event.detail.respondWith(token)`, with a token or a promise of one. */
  'onjob-token'?: ((event: CustomEvent<TokenRequest>) => void) | undefined
}

/** The detail of `job-token`. */
interface TokenRequest {
  respondWith(token: string | Promise<string>): void
}
