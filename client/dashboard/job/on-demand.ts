import { lazy } from '../parts/lazy.tsx'

const more = () => import('./more/job-more.ts')

/** What the page of a job loads after its first paint. */
export const onDemand = {
  CancelDialog: lazy(async () => (await more()).CancelDialog),
  DeleteDialog: lazy(async () => (await more()).DeleteDialog),
  Embed: lazy(async () => (await more()).Embed),
  Notify: lazy(async () => (await more()).Notify),
  Result: lazy(async () => (await more()).Result),
  Save: lazy(async () => (await more()).Save),
  Timeline: lazy(async () => (await more()).Timeline),
}
