/** What the page of a job loads after its first paint: what stands further down, and what opens when it is asked for. */
export { CancelDialog } from './cancel-dialog.tsx'
export { DeleteDialog } from './delete-dialog.tsx'
export { Embed } from './embed.tsx'
export { Notify } from './notify.tsx'
export { Result } from './result.tsx'
export { Save } from './save.tsx'
export { Timeline } from './timeline.tsx'
