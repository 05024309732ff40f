import type { JobControl } from '../../jobs/emitter.ts'

/** Work that is ready to run as a job. */
export interface Work {
  kind: string
  title: string
  metadata?: Record<string, unknown> | undefined
  /** Does the work. Resolves to its result: JSON of at most 64 KiB. */
  run(jobId: string, control: JobControl): Promise<unknown>
}

/** A service that `POST /api/services/:name` starts. */
export interface Service {
  /**
   * Prepares work from an uploaded form.
   *
   * @throws ProblemError that names the invalid field
   */
  prepare(form: FormData): Work | Promise<Work>
}

/** Services by name. */
export type Services = Readonly<Record<string, Service>>
