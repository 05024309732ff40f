/** The variant `full`, loaded when a page asks for it, as `/widget-full.js`. Modules are not shared with the element. */
export { JobDocument } from './full/job-document.ts'
export { showSections } from './full/sections.tsx'
