import { createFormat } from '../format.ts'
import { createJobListSignal } from '../job-list-signal.ts'
import { english } from '../language.ts'
import { base } from './navigation.ts'

/** Numbers and times as this page writes them: its words are English, so only the region is the reader's. */
export const format = createFormat(english, navigator.language.startsWith('en') ? { locale: navigator.language } : {})

/** The jobs of whoever is signed in: one stream, whichever page shows them. */
export const jobList = createJobListSignal({ baseUrl: base.href })
