import type { JobError } from '../../signals/job-signal.ts'
import { Refusal } from '../refusal.ts'
import { Notice } from './notice.tsx'

const statuses = { expired: 401, 'not-found': 404, unreachable: 0 } as const

/** Why what is shown is not up to date; nothing while it is, or the interruption is short. */
export function Trouble({ error }: { error: JobError | undefined }) {
  return error === undefined ? null : <Notice error={new Refusal(statuses[error])} />
}
