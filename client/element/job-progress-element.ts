import type { Job, JobHeader } from '../../shared/document/job.ts'
import { getAmount, isTerminalStatus } from '../../shared/document/selectors.ts'
import type { GetToken } from '../connection/access/token-source.ts'
import { systemEnvironment } from '../connection/environment.ts'
import type { JobFacts } from '../connection/job-facts.ts'
import { documentUrl, type JobLocation, locateJob } from '../connection/job-url.ts'
import { followHeader, type WholeDocument } from '../connection/jobs/follow-header.ts'
import { createFormat, type Format } from '../text/format.ts'
import { type JobLanguage, jobEnglish } from '../text/job-language.ts'
import { describeJob, type JobWords } from '../text/words.ts'
import { styles } from './job-progress-styles.ts'
import { createJobProgressView } from './job-progress-view.ts'

/** Without a DOM, as on a rendering server, the class can be imported but not used. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement)

/** What is loaded when it is needed. */
const more = () => import('./more.ts')
const full = () => import('./full.ts')

/** What happens at the end of a job, in the platform's names. */
const ENDS = { completed: 'load', failed: 'error', cancelled: 'abort' }

const environment = systemEnvironment()
let sheet: CSSStyleSheet | undefined

/**
 * `<job-progress src="/api/jobs/p7f2">`: a job, live, as a bar. `variant="ring"` and `"text"` are smaller; `"full"` adds steps, items, errors and the
 * log, and, for readers with a session instead of a token, controls and the forms of what the job asks.
 *
 * `token` is a watch token, for pages whose readers are not signed in. `label` is shown instead of the job's title. `lang`, its own or an
 * ancestor's, chooses the language among {@link JobProgressElement.languages}. The element's content is shown until the job is known.
 *
 * A token is renewed by its property `getToken`, or by listeners of `job-token`, which bubbles: `event.detail.respondWith(token)`, with a token or a
 * promise of one. It fires when the token has ended.
 *
 * It connects when it comes into view, and disconnects when it leaves the document. `job-change` fires at each change of the job and `job-end` at its
 * end, with the job's header as `detail`; both bubble. `progress`, `load` (completed), `error` (failed), `abort` (cancelled) and `loadend` are
 * ProgressEvents and don't bubble, as those of XMLHttpRequest.
 *
 * The slot `actions` is shown below the job.
 *
 * @example
 * ```html
 * <script type="module" src="https://progress.example/widget.js"></script>
 * <job-progress src="https://progress.example/api/jobs/p7f2" token="…">Exporting…</job-progress>
 * ```
 */
export class JobProgressElement extends Base {
  static readonly observedAttributes = ['src', 'token', 'variant', 'label', 'lang']
  /** The languages of the element, by tag. Add to it before the first element is made. */
  static readonly languages: Map<string, JobLanguage> = new Map([[jobEnglish.tag, jobEnglish]])

  /** Gives a watch token: asked for another one before the present one ends, and for the first without a `token`. */
  getToken?: GetToken | undefined

  readonly #view = createJobProgressView((list, button) => {
    const location = this.#location()
    if (!location) return
    this.#dress()
      .then(more)
      .then(({ toggleFailures }) => toggleFailures(list, button, documentUrl(location, 'all')))
      .catch(() => {})
  })
  readonly #fallback = document.createElement('slot')
  readonly #observer = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return
    this.#observer.disconnect()
    this.#wasSeen = true
    this.#connect()
  })
  /** Whether it has come into view since it was connected. Attribute callbacks come earlier. */
  #wasSeen = false
  /** Aborted when the job is left. */
  #following = new AbortController()
  #facts: JobFacts | undefined
  /** Whether it has the styles of the other variants. */
  #isDressed = false
  /** Draws what `full` has below the bar. */
  #drawSections: ((job: JobHeader | undefined, locale: string) => void) | undefined

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

  /** The header of the job; `undefined` until it is known. */
  get job(): JobHeader | undefined {
    return this.#facts?.job
  }

  /** Asks for the job to be cancelled, as its owner. Resolves once the server knows. @throws Error with the server's reason */
  cancel(): Promise<void> {
    return this.#control('cancel')
  }

  /** Asks for the job to be paused, as its owner. Resolves once the server knows. @throws Error with the server's reason */
  pause(): Promise<void> {
    return this.#control('pause')
  }

  /** Asks for the job to go on, as its owner. Resolves once the server knows. @throws Error with the server's reason */
  resume(): Promise<void> {
    return this.#control('resume')
  }

  async #control(action: string, body?: object): Promise<void> {
    const { controlJob } = await more()
    await controlJob(this.#location(), action, body)
  }

  connectedCallback(): void {
    this.#observer.observe(this)
  }

  disconnectedCallback(): void {
    this.#observer.disconnect()
    this.#wasSeen = false
    this.#close()
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now) return
    const isOther = name === 'src' || name === 'token' || (name === 'variant' && [before, now].includes('full'))
    if (isOther && this.#wasSeen) this.#connect()
    else this.#show()
  }

  #close(): void {
    this.#view.hideFailures()
    this.#drawSections?.(undefined, '')
    this.#drawSections = undefined
    this.#following.abort()
    this.#following = new AbortController()
  }

  #connect(): void {
    this.#close()
    this.#facts = undefined
    const location = this.#location()
    if (!location) return
    const { signal } = this.#following
    const follow = (whole?: WholeDocument) => {
      const following = followHeader(
        location,
        environment,
        (facts) => {
          const before = this.#facts?.job
          this.#facts = facts
          this.#show()
          if (facts.job && facts.job !== before) this.#tell(facts.job, before)
        },
        () => more().then(({ renewToken }) => renewToken(this, location, signal)),
        whole,
      )
      signal.addEventListener('abort', following)
      return following.restart
    }
    const begin = (whole?: WholeDocument) => {
      if (signal.aborted) return
      if (this.getToken) more().then(({ keepToken }) => keepToken(this, location, () => follow(whole), signal))
      else follow(whole)
    }
    if (this.getAttribute('variant') === 'full') this.#open(location).then(begin, () => begin())
    else begin()
  }

  /** Loads what `full` needs. Without it the element is a bar. */
  async #open({ token }: JobLocation): Promise<WholeDocument> {
    const { JobDocument, showSections } = await full()
    this.#drawSections = (job, locale) => {
      // Watch tokens only read.
      const control = token || this.getToken ? undefined : this.#control.bind(this)
      showSections(this.#view.sections, job as Job, { locale, control })
    }
    return new JobDocument()
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
    // Offer the list only if there is one: a producer may count failures without naming them.
    if (this.#drawSections || (job && job.itemCounts.failed + job.errorCount === 0)) words.action = undefined
    const variant = this.getAttribute('variant') ?? 'bar'
    const title = this.getAttribute('label') ?? job?.title
    const isUntitled = variant === 'text' && !this.hasAttribute('label')
    this.#view.update(words, isUntitled ? '' : title, variant)
    this.#view.root.lang = format.language.tag
    this.#showFallback(words, variant)
    this.#drawSections?.(job, format.language.tag)
    const { signal } = this.#following
    if (words.state !== 'connecting')
      more()
        .then(({ announceJob }) => announceJob(signal, words, title, format))
        .catch(() => {})
  }

  /** Shows the page's own content until the job is known. */
  #showFallback({ state }: JobWords, variant: string): void {
    const isDressed = variant === 'bar' || variant === 'full' || this.#isDressed
    if (!isDressed) void this.#dress()
    this.#fallback.hidden = isDressed && state !== 'connecting' && state !== 'unreachable'
    this.#view.root.hidden = !isDressed || (state === 'connecting' && this.textContent?.trim() !== '')
  }

  /** Loads what the other variants need. Without it they are a bar. */
  async #dress(): Promise<void> {
    const shadow = this.shadowRoot
    await more()
      .then(({ dress }) => shadow && dress(shadow))
      .catch(() => {})
    this.#isDressed = true
    this.#show()
  }

  #tell(job: JobHeader, before: JobHeader | undefined): void {
    const tell = (name: string) =>
      this.dispatchEvent(new CustomEvent(name, { detail: job, bubbles: true, composed: true }))
    tell('job-change')
    const { done: loaded, total = 0 } = getAmount(job)
    const tellPlatform = (name: string) =>
      this.dispatchEvent(new ProgressEvent(name, { lengthComputable: total > 0, loaded, total }))
    tellPlatform('progress')
    const { status } = job
    if (!isTerminalStatus(status) || status === before?.status) return
    tell('job-end')
    tellPlatform(ENDS[status])
    tellPlatform('loadend')
  }
}

const formats = new Map<string, Format>()

/** The format of a language tag, or of its language without the region; English otherwise. */
function formatFor(tag = ''): Format {
  const { languages } = JobProgressElement
  const [base = ''] = tag.split('-')
  const language = languages.get(tag) ?? languages.get(base) ?? jobEnglish
  // Numbers and dates follow the region only within the language of the texts: en-GB, but not de with English texts.
  const locale = base === language.tag ? tag : language.tag
  const format = formats.get(locale) ?? createFormat(language, { locale })
  formats.set(locale, format)
  return format
}
