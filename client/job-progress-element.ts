import { isJob, readJson } from '../shared/answers.ts'
import type { Job, JobHeader } from '../shared/job.ts'
import { isTerminalStatus } from '../shared/selectors.ts'
import { createAnnouncer } from './announcer.ts'
import { systemEnvironment } from './environment.ts'
import { followHeader } from './follow-header.ts'
import { createFormat, type Format } from './format.ts'
import { type JobLanguage, jobEnglish } from './job-language.ts'
import { documentUrl, type JobLocation, locateJob } from './job-location.ts'
import { styles } from './job-progress-styles.ts'
import { createJobProgressView, type Failure } from './job-progress-view.ts'
import { say, useLiveRegion } from './live-region.ts'
import { describeJob, type JobFacts, type JobWords } from './words.ts'

/** Where there is no DOM, as on a server that renders pages, the class can be imported, not used. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement)

const environment = systemEnvironment()
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
  static readonly languages: Map<string, JobLanguage> = new Map([[jobEnglish.tag, jobEnglish]])

  readonly #view = createJobProgressView(() => this.#toggleFailures())
  readonly #fallback = document.createElement('slot')
  readonly #observer = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return
    this.#observer.disconnect()
    this.#wasSeen = true
    this.#connect()
  })
  /** Whether it has come into view since it is in the document. Attributes are told of before. */
  #wasSeen = false
  #leaveLiveRegion: (() => void) | undefined
  #leaveJob: (() => void) | undefined
  #announce = createAnnouncer(say)
  #facts: JobFacts | undefined

  constructor() {
    super()
    if (!sheet) {
      sheet = new CSSStyleSheet()
      sheet.replaceSync(styles)
    }
    this.#view.root.hidden = true
    const shadow = this.attachShadow({ mode: 'open' })
    shadow.adoptedStyleSheets = [sheet]
    shadow.append(this.#fallback, this.#view.root)
  }

  /** What is known of the job, without its rows; `undefined` until something is. */
  get job(): JobHeader | undefined {
    return this.#facts?.job
  }

  connectedCallback(): void {
    this.#leaveLiveRegion = useLiveRegion()
    this.#observer.observe(this)
  }

  disconnectedCallback(): void {
    this.#observer.disconnect()
    this.#wasSeen = false
    this.#leaveLiveRegion?.()
    this.#close()
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now) return
    if ((name === 'src' || name === 'token') && this.#wasSeen) this.#connect()
    else this.#show()
  }

  #close(): void {
    this.#view.showFailures()
    this.#leaveJob?.()
    this.#leaveJob = undefined
  }

  #connect(): void {
    this.#close()
    this.#facts = undefined
    this.#announce = createAnnouncer(say)
    const location = this.#location()
    if (!location) return
    this.#leaveJob = followHeader(location, environment, (facts) => {
      const before = this.#facts?.job
      this.#facts = facts
      this.#show()
      if (facts.job && facts.job !== before) this.#tell(facts.job, before)
    })
  }

  #location(): JobLocation | undefined {
    const url = this.getAttribute('src')
    return url ? locateJob(url, this.getAttribute('token'), this.baseURI) : undefined
  }

  #show(): void {
    if (!this.#facts) return
    const { job } = this.#facts
    const format = formatFor(this.closest<HTMLElement>('[lang]')?.lang)
    const words = describeJob(this.#facts, format)
    // Nothing to show is no reason to offer it: a producer may count failures without naming them.
    if (job && job.itemCounts.failed + job.errorCount === 0) words.action = undefined
    const variant = this.getAttribute('variant') ?? 'bar'
    const title = this.getAttribute('label') ?? job?.title
    const isUntitled = variant === 'text' && !this.hasAttribute('label')
    this.#view.update(words, isUntitled ? '' : title, variant)
    this.#view.root.lang = format.language.tag
    this.#showFallback(words)
    this.#announce(words, title, format)
  }

  /** What the page put inside the element is true for as long as nothing better is known. */
  #showFallback({ state }: JobWords): void {
    this.#fallback.hidden = state !== 'connecting' && state !== 'unreachable'
    this.#view.root.hidden = state === 'connecting' && this.textContent?.trim() !== ''
  }

  #tell(job: JobHeader, before: JobHeader | undefined): void {
    const tell = (name: string) =>
      this.dispatchEvent(new CustomEvent(name, { detail: job, bubbles: true, composed: true }))
    tell('job-change')
    if (isTerminalStatus(job.status) && job.status !== before?.status) tell('job-end')
  }

  /** The header counts failures; which they are, the whole document says, and only whoever asks pays for it. */
  async #toggleFailures(): Promise<void> {
    const location = this.#location()
    if (this.#view.showsFailures || !location) {
      this.#view.showFailures()
      return
    }
    const answer: unknown = await fetch(documentUrl(location, 'all'))
      .then(readJson)
      .catch(() => undefined)
    if (isJob(answer)) this.#view.showFailures(listFailures(answer as Job))
  }
}

/** The items that failed; of a job that names none, its errors. */
function listFailures({ items, errors }: Job): Failure[] {
  const failed = items.filter(({ status }) => status === 'failed')
  if (failed.length === 0) return errors.map(({ message }) => ({ name: message }))
  return failed.map(({ id, label, error, message }) => ({ name: label ?? id, reason: error ?? message }))
}

const formats = new Map<string, Format>()

/** The format of a language tag, or of its language without the region; of English, where neither is spoken. */
function formatFor(tag = ''): Format {
  const { languages } = JobProgressElement
  const [base = ''] = tag.split('-')
  const language = languages.get(tag) ?? languages.get(base) ?? jobEnglish
  // Numbers and dates follow the region, in the language that is spoken: en-GB, but not de where the words are English.
  const locale = base === language.tag ? tag : language.tag
  const format = formats.get(locale) ?? createFormat(language, { locale })
  formats.set(locale, format)
  return format
}
