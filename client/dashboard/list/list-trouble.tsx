import { jobList } from '../page.ts'
import { Notice } from '../parts/notice.tsx'
import { Refusal } from '../refusal.ts'

const statuses = { expired: 401, 'not-found': 404, unreachable: 0 } as const

/** Why the list is not up to date, unless the interruption is short. */
export function ListTrouble() {
  const error = jobList.value.error.value
  return error === undefined ? null : <Notice error={new Refusal(statuses[error])} />
}
