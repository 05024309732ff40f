import type { JobControl } from '../../jobs/emitter.ts'

/** Work that is ready to be done as a job. */
export interface Work {
  kind: string
  title: string
  metadata?: Record<string, unknown> | undefined
  /** Does the work, and gives back what it came to: JSON of at most 64 KiB. */
  run(jobId: string, control: JobControl): Promise<unknown>
}

/** A service that `POST /api/services/:name` starts. */
export interface Service {
  /**
   * Work from an uploaded form.
   *
   * @throws ProblemError that names the field that is wrong
   */
  prepare(form: FormData): Work | Promise<Work>
}

/** Services by their names. */
export type Services = Readonly<Record<string, Service>>
