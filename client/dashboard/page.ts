import { computed } from '@preact/signals'
import { createJobListSignal } from '../signals/job-list-signal.ts'
import { createFormat } from '../text/format.ts'
import { english } from '../text/language.ts'
import { whose } from './list/whose-jobs.ts'
import { base } from './navigation.ts'

/** The number and date formats of the page: English texts, with the reader's region. */
export const format = createFormat(english, navigator.language.startsWith('en') ? { locale: navigator.language } : {})

const lists = {
  mine: createJobListSignal({ baseUrl: base.href }),
  everyone: createJobListSignal({ baseUrl: base.href, owner: '*' }),
}

/** The jobs that the reader chose to see: one stream, whichever page shows them. */
export const jobList = computed(() => lists[whose.value])
