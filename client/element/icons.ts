import type { ItemStatus } from '../../shared/document/job.ts'
import type { JobState } from '../text/job-language.ts'

/** An icon on a grid of 16. Always beside a word or in a named control. */
export interface IconShape {
  path: string
  /** The width of the stroke. */
  stroke: number
}

const line = (path: string, stroke = 1.6): IconShape => ({ path, stroke })
const CIRCLE = 'M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11Z'

const clock = /* @__PURE__ */ line(`${CIRCLE}M8 5v3l2 1.3`, 1.8)
export const stop: IconShape = /* @__PURE__ */ line(`${CIRCLE}M4.2 4.2l7.6 7.6`, 1.8)
export const warning: IconShape = /* @__PURE__ */ line('M8 2.5 14 13H2L8 2.5Zm0 4.3v2.6m0 1.7v.1', 1.8)
const skip = /* @__PURE__ */ line('M3.5 8h9M9 4.5 12.5 8 9 11.5', 1.8)
export const check: IconShape = /* @__PURE__ */ line('m3.5 8.5 3 3 6-7', 2.2)
export const cross: IconShape = /* @__PURE__ */ line('m4 4 8 8m0-8-8 8', 2.2)
export const play: IconShape = /* @__PURE__ */ line('M6 3.9v8.2L12.2 8ZM7 8h2', 3)
export const pause: IconShape = /* @__PURE__ */ line('M5 4h1v8H5ZM10 4h1v8h-1Z', 3)

/** The icon of a job's state. */
export const stateIcons: Record<JobState, IconShape> = {
  connecting: clock,
  unreachable: warning,
  waiting: clock,
  running: play,
  paused: pause,
  asking: warning,
  stalled: warning,
  cancelling: stop,
  completed: check,
  'completed-with-failures': check,
  failed: cross,
  cancelled: stop,
  'not-found': cross,
  expired: clock,
  'origin-refused': stop,
}

/** The icon of an item or a step. */
export const rowIcons: Record<ItemStatus, IconShape> = {
  pending: clock,
  running: play,
  succeeded: check,
  failed: cross,
  skipped: skip,
}

export const search: IconShape = /* @__PURE__ */ line('M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9Zm3.3 7.8L13.5 13.5')
export const plus: IconShape = /* @__PURE__ */ line('M8 3v10M3 8h10', 1.8)
export const copy: IconShape = /* @__PURE__ */ line(
  'M6 5.5h6.5a1 1 0 0 1 1 1V13a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V6.5a1 1 0 0 1 1-1ZM3 10.5V3a1 1 0 0 1 1-1h6.5',
)
export const leave: IconShape = /* @__PURE__ */ line(
  'M6.5 2.5H4a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1h2.5M10 5l3 3-3 3m3-3H6.5',
)
export const down: IconShape = /* @__PURE__ */ line('M8 3v9.5M4 9l4 4 4-4', 1.8)
export const chevron: IconShape = /* @__PURE__ */ line('m5 6.5 3 3 3-3', 1.8)
export const bin: IconShape = /* @__PURE__ */ line('M3 4.5h10M6.5 4V2.5h3V4m-5 .5.5 9h6l.5-9')
/** The mark of the product: a milepost. */
export const mark: IconShape = /* @__PURE__ */ line('M4 14V2.7m0 .6h6.3L12 5.3l-1.7 2H4', 1.7)
export const folders: IconShape = /* @__PURE__ */ line(
  'M2.5 11V4a1 1 0 0 1 1-1h2.2l1.2 1.5h4.6a1 1 0 0 1 1 1V11a1 1 0 0 1-1 1h-8a1 1 0 0 1-1-1ZM5 14h8.5',
  1.5,
)
export const page: IconShape = /* @__PURE__ */ line(
  'M4.5 2.5h5l3 3v7.5a.5.5 0 0 1-.5.5H4.5a.5.5 0 0 1-.5-.5V3a.5.5 0 0 1 .5-.5ZM6.5 8h4m-4 2.5h4',
  1.5,
)
export const links: IconShape = /* @__PURE__ */ line('M3 4.5h3.5m-3.5 7h3.5M9.5 4.5H13m-3.5 7H13M6.5 4.5l3 7', 1.5)
