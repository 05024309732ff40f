/**
 * What the element loads after its first paint, or when it is needed, as `/widget-more.js`. It imports little that the element has: modules are
 * not shared with it.
 */
export { isThereForAll, tellOriginRefused } from '../connection/access/origin-refusal.ts'
export { announceJob } from './more/announcements.ts'
export { controlJob } from './more/control.ts'
export { toggleFailures } from './more/failures.ts'
export { dress } from './more/looks.ts'
export { keepToken, renewToken } from './more/tokens.ts'
