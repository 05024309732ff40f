import { effect } from '@preact/signals-core'
import type { JobHeader } from '../shared/job.ts'
import { getItemsByStatus, isTerminalStatus } from '../shared/selectors.ts'
import { Announcer } from './announcer.ts'
import { createFormat, type Format } from './format.ts'
import { styles } from './job-progress-styles.ts'
import { JobProgressView, type Variant } from './job-progress-view.ts'
import type { JobSignal } from './job-signal.ts'
import { english, type Language } from './language.ts'
import { say, useLiveRegion } from './live-region.ts'
import { getJobSignal } from './shared-job-signal.ts'
import { describeJob, type JobWords } from './words.ts'

/** Where there is no DOM, as on a server that renders pages, the class can be imported, not used. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement)

let sheet: CSSStyleSheet | undefined

/**
 * `<job-progress src="/api/jobs/p7f2">`: a job, live, as a bar (`variant="ring"` and `"text"` are smaller).
 *
 * `token` is a watch token, for pages whose readers are not signed in. `label` is shown instead of the job's title. `lang`, its own or an
 * ancestor's, chooses the language among {@link JobProgressElement.languages}. What stands inside the element is shown until the job is known.
 *
 * It connects when it comes into view, and lets go when it leaves the document. `job-change` tells each change of the job and `job-end` its
 * end, with the job's header as `detail`; both bubble.
 *
 * @example
 * ```html
 * <script type="module" src="https://progress.example/widget.js"></script>
 * <job-progress src="https://progress.example/api/jobs/p7f2" token="…">Exporting…</job-progress>
 * ```
 */
export class JobProgressElement extends Base {
  static readonly observedAttributes = ['src', 'token', 'variant', 'label', 'lang']
  /** The languages that the element speaks, by their tag. Add to it before the first element is made. */
  static readonly languages: Map<string, Language> = new Map([[english.tag, english]])

  readonly #view: JobProgressView
  readonly #fallback = document.createElement('slot')
  #visible: IntersectionObserver | undefined
  #seen = false
  #stop: (() => void) | undefined
  #leaveRegion: (() => void) | undefined
  #header: JobHeader | undefined

  constructor() {
    super()
    if (!sheet) {
      sheet = new CSSStyleSheet()
      sheet.replaceSync(styles)
    }
    this.#view = new JobProgressView(() => this.#showFailures())
    const shadow = this.attachShadow({ mode: 'open' })
    shadow.adoptedStyleSheets = [sheet]
    shadow.append(this.#fallback, this.#view.root)
  }
}
