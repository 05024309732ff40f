/** @jsxImportSource preact */
/** The element in an app of Preact, which knows its attributes and events. */
import 'milepost/element'

export const known = (
  <job-progress src="/api/jobs/a" variant="ring" class="small" onjob-end={(event) => event.detail.status} />
)
// @ts-expect-error: no variant
export const unknown = <job-progress variant="circle" />
